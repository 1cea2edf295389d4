"""`orchestra serve-policy`: the command that is started, and what it says where it cannot be."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def printed(orchestra, *arguments: str) -> list[str]:
    ended = orchestra("serve-policy", *arguments, "--print")
    assert ended.code == 0 and ended.err == "", ended
    return shlex.split(ended.out)


def test_orchestrator_8b_is_served_with_the_flags_that_it_was_trained_for(orchestra):
    command = printed(orchestra)
    assert command[1:3] == ["serve", "nvidia/Orchestrator-8B"] and command[0].endswith("vllm")
    assert "--enable-auto-tool-choice" in command and "--reasoning-parser" not in command
    assert command[command.index("--tool-call-parser") + 1] == "hermes"
    assert command[command.index("--host") + 1] == "127.0.0.1"


@pytest.mark.parametrize(
    ("model", "parser"),
    [
        ("Qwen/Qwen3-8B", "hermes"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder"),
        ("Qwen/Qwen3.5-9B", "qwen3_coder"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json"),
        ("openai/gpt-oss-20b", "openai"),
        ("mistralai/Mistral-Small-3.2", "mistral"),
    ],
)
def test_the_parser_of_tool_calls_follows_the_model(orchestra, model, parser):
    command = printed(orchestra, model)
    assert command[command.index("--tool-call-parser") + 1] == parser


def test_a_folder_is_served_under_the_name_that_was_typed(orchestra, tmp_path):
    folder = tmp_path / "my model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    command = printed(orchestra, str(folder), "--gpus", "2", "--context", "16384", "--quantize", "8bit")
    assert command[2] == str(folder) and command[command.index("--served-model-name") + 1] == str(folder)
    assert command[command.index("--tool-call-parser") + 1] == "hermes"
    tail = ["--tensor-parallel-size", "2", "--max-model-len", "16384", "--quantization", "fp8"]
    assert " ".join(tail) in " ".join(command)


def test_an_adapter_is_not_served_as_if_it_were_a_model(orchestra, tmp_path):
    for name, text in (("config.json", '{"model_type": "qwen3"}'), ("adapter_config.json", "{}")):
        (tmp_path / name).write_text(text)
    ended = orchestra("serve-policy", str(tmp_path), "--print")
    assert ended.code == 2 and "merge the two first" in ended.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/no/such/folder"], "give the folder of a model"),
        (["somebody/unheard-of"], "name vLLM's parser with --parser"),
        (["Qwen/Qwen3-8B", "--quantize", "2bit"], "write 8bit or 4bit"),
        (["assets:fonts"], "no readable config.json"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(orchestra, arguments, sentence):
    assert sentence in orchestra("serve-policy", *arguments, "--print").complaint


def started(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestra_app", "serve-policy", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def program(folder: Path, name: str, body: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.mark.skipif(Path(sys.executable).with_name("vllm").exists(), reason="vLLM is installed here")
@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="a GPU is here")
def test_a_missing_vllm_or_gpu_is_named_and_where_both_are_the_server_takes_over(tmp_path):
    ended = started(tmp_path)
    assert ended.returncode == 2 and "vLLM is not installed" in ended.stderr and ended.stdout == ""
    program(tmp_path, "vllm", 'echo "$@"; exit 7')
    ended = started(tmp_path)
    assert ended.returncode == 2 and "No GPU is seen here" in ended.stderr and ended.stdout == ""
    program(tmp_path, "nvidia-smi")
    ended = started(tmp_path, "--port", "8123")
    # Its output and its exit code are the server's own.
    assert ended.returncode == 7 and ended.stdout.startswith("serve nvidia/Orchestrator-8B ")
    assert "research and development only" in ended.stderr
    assert "ORCHESTRA_POLICY_URL=http://127.0.0.1:8123/v1" in ended.stderr
