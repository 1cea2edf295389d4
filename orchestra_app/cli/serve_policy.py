"""`orchestra serve-policy`: starts vLLM with the flags that a policy needs."""

import json
import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from orchestra_app.backends.local.places import located
from orchestra_app.catalogs import bundled, load_catalog
from orchestra_app.cli.app import app, errors, guarded
from orchestra_app.config import load_settings
from orchestra_app.core.errors import ConfigError

PARSERS = {
    "qwen3_coder": "qwen3_coder",
    "qwen3-coder": "qwen3_coder",
    "qwen3_5": "qwen3_coder",
    "qwen3.5": "qwen3_coder",
    "qwen": "hermes",
    "orchestrator": "hermes",
    "hermes": "hermes",
    "llama": "llama3_json",
    "gpt_oss": "openai",
    "gpt-oss": "openai",
    "mistral": "mistral",
}
"""vLLM's parser of tool calls by what a model's kind or name holds; the first that fits counts."""
ADAPTER = "adapter_config.json"
ACCELERATORS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""Where the drivers of NVIDIA and AMD, and of NVIDIA under WSL, show a GPU."""
QUANTIZATIONS = {"8bit": "fp8", "4bit": "bitsandbytes"}


@app.command(name="serve-policy")
def serve_policy(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Hugging Face id or folder; ORCHESTRA_POLICY_MODEL or Orchestrator-8B if left out."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    gpus: Annotated[int, typer.Option(min=1, max=64, help="GPUs over which the weights are split.")] = 1,
    context: Annotated[
        int | None, typer.Option(min=1024, help="Tokens of prompt and reply; fewer need less memory.")
    ] = None,
    quantize: Annotated[str | None, typer.Option(help="8bit or 4bit weights, on a small GPU.")] = None,
    parser: Annotated[
        str | None, typer.Option(help="vLLM's parser of tool calls; chosen by the model if left out.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the command instead of starting it.")] = False,
) -> None:
    """Serve a policy with vLLM on a GPU, for every program that speaks the OpenAI protocol."""

    def work() -> int:
        name = model or load_settings().policy_model
        flags = vllm_flags(name, gpus=gpus, context=context, quantize=quantize, parser=parser)
        command = [*_vllm(show), "serve", *flags, "--host", host, "--port", str(port)]
        if show:
            sys.stdout.write(f"{shlex.join(command)}\n")
            return 0
        _say(name, host, port)
        return _become(command)

    raise typer.Exit(guarded(work))


def vllm_flags(
    model: str,
    *,
    gpus: int = 1,
    context: int | None = None,
    quantize: str | None = None,
    parser: str | None = None,
) -> list[str]:
    """Return what follows `vllm serve` for a model; raises ConfigError for a place or size that is none.

    No reasoning parser is named: the policy's thoughts stay in its text, where they are read.
    """
    found = located(model)
    if isinstance(found, Path) and (found / ADAPTER).is_file():
        raise ConfigError(
            f"{found} holds an adapter, which vLLM serves only beside its base: merge the two first, or take "
            "it as a policy in this program, which loads both."
        )
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise ConfigError(f"There are no weights of {quantize[:40]!r}; write 8bit or 4bit.")
    flags = [str(found), "--served-model-name", model, "--enable-auto-tool-choice"]
    flags += ["--tool-call-parser", parser or _parser(model, found)]
    flags += ["--tensor-parallel-size", str(gpus)] if gpus > 1 else []
    flags += ["--max-model-len", str(context)] if context else []
    return flags + (["--quantization", QUANTIZATIONS[quantize]] if quantize else [])


def _parser(model: str, found: Path | str) -> str:
    kind = model
    if isinstance(found, Path):
        try:
            kind = f"{json.loads((found / 'config.json').read_text(encoding='utf-8'))['model_type']} {model}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{found} holds no readable config.json; give the folder of a model."
            ) from error
    fitting = (parser for part, parser in PARSERS.items() if part in kind.lower())
    if chosen := next(fitting, None):
        return chosen
    raise ConfigError(
        f"It is not known how {model} writes tool calls: name vLLM's parser with --parser, such as hermes."
    )


def _vllm(show: bool) -> list[str]:
    """Return how vLLM is started here; raises ConfigError where it or a GPU is missing, unless only shown."""
    beside = Path(sys.executable).parent / "vllm"
    program = str(beside) if beside.is_file() else shutil.which("vllm")
    if show:
        return [program or "vllm"]
    if program is None and find_spec("vllm") is None:
        raise ConfigError(
            "vLLM is not installed: pip install 'orchestra-app[gpu]' on a computer with a GPU, "
            "or run what `orchestra serve-policy --print` prints there."
        )
    if not (shutil.which("nvidia-smi") or any(Path(device).exists() for device in ACCELERATORS)):
        raise ConfigError(
            "No GPU is seen here: run what `orchestra serve-policy --print` prints on a computer with one, "
            "or give a small model backend = 'local' in the catalogue."
        )
    return [program] if program else [sys.executable, "-m", "vllm.entrypoints.cli.main"]


def _say(model: str, host: str, port: int) -> None:
    """Say on standard error how the server is reached and what its model may be used for."""
    if licence := _licence(model):
        errors.print(f"{model}: {licence}.", markup=False)
    errors.print(
        f"Ask with ORCHESTRA_POLICY_URL=http://{host}:{port}/v1 ORCHESTRA_POLICY_MODEL={model} "
        "once the server answers.",
        markup=False,
        soft_wrap=True,
    )


def _licence(model: str) -> str | None:
    known = [each for name in bundled() for each in load_catalog(name).models.values()]
    return next((each.licence for each in known if each.id.lower() == model.lower() and each.licence), None)


def _become(command: list[str]) -> int:
    """Turn this process into the server, so that signals and its exit code are its own."""
    sys.stdout.flush()
    try:
        os.execv(command[0], command)
    except OSError as error:
        raise ConfigError(f"{command[0]} cannot be started ({error.strerror}); install vLLM anew.") from error
