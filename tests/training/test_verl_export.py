"""What is handed to verl: rows with its schema, files that work without it, and a script that parses."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestra_app.catalogs import load_catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.task import Preference, Task
from orchestra_app.orchestrator.questions import from_rehearsal
from orchestra_app.training.definition import Definition, from_toml
from orchestra_app.training.verl import SCHEMA, export_verl

DEFINITION = Definition(name="big", groups=16, learning_rate=1e-6, kl=1e-4, evaluate_every=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verl") / "job"
    questions = {split: from_rehearsal(split).first(4).questions for split in ("train", "heldout")}
    wish = lambda question: Preference(cost=0.9)  # noqa: E731
    done = export_verl(
        DEFINITION, load_catalog("rehearsal"), questions["train"], questions["heldout"], out, wish=wish
    )
    assert (done.train, done.validation) == (4, 4)
    return out


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "train.parquet").to_pylist()


def test_rows_have_the_columns_that_verl_reads(folder: Path):
    for name in ("train", "validation"):
        assert pq.read_schema(folder / f"{name}.parquet").equals(SCHEMA)
    for row in rows(folder):
        task = Task.model_validate_json(row["extra_info"]["task"])
        assert row["prompt"] == [{"role": "user", "content": task.question}]
        assert row["reward_model"]["ground_truth"] == task.answer
        assert task.preference.cost == json.loads(row["extra_info"]["preferences"])["cost"] == 0.9
        assert task.budget == DEFINITION.budget
        assert json.loads(row["extra_info"]["prices"])["gpt-5"] == {"input": 1.25, "output": 10.0}


def test_the_catalogue_and_the_definition_come_back_unchanged(folder: Path):
    assert load_catalog(folder / "catalog.toml") == load_catalog("rehearsal")
    assert from_toml((folder / "job.toml").read_text()) == DEFINITION


def test_the_script_parses_and_carries_the_settings(folder: Path):
    assert subprocess.run(["bash", "-n", folder / "submit.sh"], check=False).returncode == 0
    text = (folder / "submit.sh").read_text()
    for setting in (
        'rollout.n="8"',
        'optim.lr="1e-06"',
        'kl_loss_coef="0.0001"',
        'adv_estimator="grpo"',
        'optim.lr_warmup_steps="5"',
        'grad_clip="1.0"',
        'model.lora_rank="0"',
        'ppo_max_token_len_per_gpu="24064"',
    ):
        assert setting in text
    # The starting policy that comes with the program is not there.
    without = subprocess.run(["bash", "submit.sh"], cwd=folder, capture_output=True, text=True, check=False)
    assert without.returncode != 0 and "BASE: set it to a model that the cluster reaches" in without.stderr


def test_the_reward_pays_what_is_right_cheap_and_liked(folder: Path):
    module = load(folder / "reward.py")
    info = rows(folder)[0]["extra_info"]

    def score(**changed: Any) -> float:
        outcome = {"correct": True, "cost": 0.01, "seconds": 20.0, "adherence": 1.0} | changed
        return module.compute_score("x", "", "y", info | {"outcome": outcome})

    assert score(correct=False) == 0 < score(adherence=0.0) < score(cost=0.05) < score() < score(cost=0) <= 1
    with pytest.raises(ValueError, match="no outcome"):
        module.compute_score("x", "", "y", info)


def test_a_folder_that_is_there_and_questions_without_answers_are_refused(folder: Path, tmp_path: Path):
    catalog, questions = load_catalog("rehearsal"), from_rehearsal("train").first(2).questions
    clipped = DEFINITION.model_copy(update={"loss": "cispo"})
    with pytest.raises(TrainingError, match="loss = 'grpo'"):
        export_verl(clipped, catalog, questions, (), tmp_path / "cispo", wish=lambda _: Preference())
    unanswered = [question.model_copy(update={"answer": None}) for question in questions]
    for asked, place, reason in (
        (questions, folder, "is there already"),
        (unanswered, tmp_path / "new", "gold"),
    ):
        with pytest.raises(TrainingError, match=reason):
            export_verl(DEFINITION, catalog, asked, (), place, wish=lambda _: Preference())


class Tokenizer:
    """Words as tokens."""

    eos_token_id = 0

    def __init__(self) -> None:
        self.words = ["<eos>"]

    def encode(self, text: str) -> list[int]:
        self.words += [text]
        return [len(self.words) - 1]

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> list[int]:
        return self.encode(messages[-1]["content"])

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(self.words[each] for each in ids)


class Server:
    """Searches first, then answers, as verl's server would be asked: ids in, ids out."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.asked = tokenizer, 0

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: Any) -> Any:
        self.asked += 1
        name = "search" if self.asked == 1 else "answer"
        call = {"name": name, "arguments": {"model": f"{name}-1"}}
        ids = self.tokenizer.encode(f"<think>ok</think><tool_call>{json.dumps(call)}</tool_call>")
        return SimpleNamespace(token_ids=ids, log_probs=[-0.5])


async def test_the_agent_loop_runs_a_whole_rollout_and_returns_one_of_its_turns(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(folder))
    # Stands for verl, which cannot be installed beside this project: it pins other versions of torch.
    verl = ModuleType("verl.experimental.agent_loop.agent_loop")
    verl.AgentLoopBase = object  # pyright: ignore[reportAttributeAccessIssue]
    verl.AgentLoopOutput = verl.AgentLoopMetrics = SimpleNamespace  # pyright: ignore
    verl.register = lambda name: lambda loop: loop  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("verl", "verl.experimental", "verl.experimental.agent_loop"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "verl.experimental.agent_loop.agent_loop", verl)
    module = load(folder / "agent_loop.py")
    loop, tokenizer = module.OrchestraLoop(), Tokenizer()
    limits = SimpleNamespace(prompt_length=24_000, response_length=64)
    loop.config = SimpleNamespace(actor_rollout_ref=SimpleNamespace(rollout=limits))
    loop.tokenizer, loop.server_manager = tokenizer, Server(tokenizer)
    output = await loop.run({"temperature": 1.0}, extra_info=rows(folder)[0]["extra_info"])
    await module.OrchestraLoop.workspace.aclose()
    assert output.num_turns == 4 and output.response_mask == [1] and output.response_logprobs == [-0.5]
    assert "Problem:" in tokenizer.decode(output.prompt_ids) and "tool_call" in tokenizer.decode(
        output.response_ids
    )
    outcome = output.extra_fields["outcome"]
    assert outcome["cost"] > 0 and (output.reward_score > 0) == outcome["correct"]
