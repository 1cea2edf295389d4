"""Hands a training job over to verl: its rows, agent loop, reward and the script that submits it to Ray."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestra_app.backends.local.places import ASSETS, BUNDLED
from orchestra_app.catalogs.writer import toml_text
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.task import Preference, Task
from orchestra_app.orchestrator.questions import Question
from orchestra_app.training.definition import Definition, to_toml

FILES = ASSETS / "verl"
COPIED = ("agent_loop.py", "reward.py", "README.md")
PROMPT_TOKENS = 24_000
"""Tokens of a prompt, as ToolOrchestra trained."""

_TEXT_LIST = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("agent_name", pa.string()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("index", pa.int64()),
                    ("split", pa.string()),
                    ("task", pa.string()),
                    ("tool_selection", _TEXT_LIST),
                    ("tools_kwargs", pa.string()),
                    ("prices", pa.string()),
                    ("preferences", pa.string()),
                    ("budget", pa.string()),
                ]
            ),
        ),
    ]
)
"""The columns of a row, as verl reads them; what is nested freely is JSON text."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    train: int
    """Rows to train on."""
    validation: int


def export_verl(
    definition: Definition,
    catalog: Catalog,
    train: Sequence[Question],
    validation: Sequence[Question],
    folder: Path,
    *,
    wish: Callable[[Question], Preference],
) -> Exported:
    """Write everything a Ray cluster needs into a new folder; raises TrainingError.

    Only questions with a gold answer become rows, since a reward compares with it. `wish` gives the
    sliders of a question.
    """
    rows = {
        name: [*_rows(definition, catalog, [(each, wish(each)) for each in questions], name)]
        for name, questions in (("train", train), ("validation", validation))
    }
    if definition.loss != "grpo" or definition.held:
        raise TrainingError("verl learns free replies with loss = 'grpo': set that, and held = false.")
    if not rows["train"]:
        raise TrainingError("No question has a gold answer: choose questions with answers.")
    try:
        folder.mkdir(parents=True)
        for name, found in rows.items():
            pq.write_table(pa.Table.from_pylist(found, schema=SCHEMA), folder / f"{name}.parquet")
        for name in COPIED:
            shutil.copyfile(FILES / name, folder / name)
        (folder / "catalog.toml").write_text(_catalog_text(catalog), encoding="utf-8")
        (folder / "job.toml").write_text(to_toml(definition), encoding="utf-8")
        (folder / "agent_loop.yaml").write_text(
            "- name: orchestra\n  _target_: agent_loop.OrchestraLoop\n", encoding="utf-8"
        )
        script = folder / "submit.sh"
        script.write_text(_script(definition), encoding="utf-8")
        script.chmod(0o755)
    except FileExistsError:
        raise TrainingError(f"{folder} is there already: name a folder that is not.") from None
    except OSError as error:
        raise TrainingError(
            f"{folder} cannot be written ({error.strerror}): free some space, or allow writing there."
        ) from error
    return Exported(folder, len(rows["train"]), len(rows["validation"]))


def _rows(
    definition: Definition, catalog: Catalog, asked: Sequence[tuple[Question, Preference]], split: str
) -> Iterator[dict[str, Any]]:
    prices = {
        name: {"input": model.price.input, "output": model.price.output}
        for name, model in catalog.models.items()
        if model.price
    }
    aliases = [alias for tool in catalog.tools.values() for alias in tool.choices]
    answered = [(question, wish) for question, wish in asked if question.answer is not None]
    for index, (question, wish) in enumerate(answered):
        task = Task(
            id=question.id,
            question=question.text,
            answer=question.answer,
            preference=wish,
            budget=definition.budget,
            source=question.source,
        )
        yield {
            "data_source": f"orchestra/{catalog.name}",
            "agent_name": "orchestra",
            "prompt": [{"role": "user", "content": question.text}],
            "ability": "orchestration",
            "reward_model": {"style": "rule", "ground_truth": question.answer},
            "extra_info": {
                "index": index,
                "split": split,
                "task": task.model_dump_json(),
                "tool_selection": aliases,
                "tools_kwargs": "{}",
                "prices": json.dumps(prices),
                "preferences": task.preference.model_dump_json(),
                "budget": task.budget.model_dump_json(),
            },
        }


def _catalog_text(catalog: Catalog) -> str:
    return toml_text(catalog.model_dump(mode="json", exclude_none=True, exclude_defaults=True))


def _script(definition: Definition) -> str:
    """Return the script that submits the job; `BASE` names a model that the cluster's machines reach."""
    settings = {
        "algorithm.adv_estimator": "grpo",
        "data.train_files": "train.parquet",
        "data.val_files": "validation.parquet",
        "data.train_batch_size": definition.groups,
        "data.max_prompt_length": PROMPT_TOKENS,
        "data.max_response_length": definition.max_output,
        "data.return_raw_chat": True,
        "actor_rollout_ref.model.path": "$BASE",
        "actor_rollout_ref.rollout.name": "vllm",
        "actor_rollout_ref.rollout.mode": "async",
        "actor_rollout_ref.rollout.n": definition.group_size,
        "actor_rollout_ref.rollout.temperature": definition.temperature,
        "actor_rollout_ref.rollout.calculate_log_probs": True,
        "actor_rollout_ref.rollout.agent.agent_loop_config_path": "agent_loop.yaml",
        "actor_rollout_ref.model.lora_rank": definition.rank,
        "actor_rollout_ref.model.lora_alpha": 2 * definition.rank,
        "actor_rollout_ref.actor.optim.lr": definition.learning_rate,
        "actor_rollout_ref.actor.optim.lr_warmup_steps": definition.warmup,
        "actor_rollout_ref.actor.grad_clip": definition.clip_gradient,
        "actor_rollout_ref.actor.ppo_mini_batch_size": definition.groups,
        "actor_rollout_ref.actor.use_dynamic_bsz": True,
        "actor_rollout_ref.actor.ppo_max_token_len_per_gpu": PROMPT_TOKENS + definition.max_output,
        "actor_rollout_ref.actor.clip_ratio_low": definition.clip_low,
        "actor_rollout_ref.actor.clip_ratio_high": round(definition.highest - 1, 6),
        "actor_rollout_ref.actor.use_kl_loss": definition.kl > 0,
        "actor_rollout_ref.actor.kl_loss_coef": definition.kl,
        "actor_rollout_ref.actor.entropy_coeff": 0,
        "custom_reward_function.path": "reward.py",
        "custom_reward_function.name": "compute_score",
        "trainer.total_training_steps": definition.steps,
        "trainer.save_freq": definition.checkpoint_every,
        "trainer.test_freq": definition.evaluate_every or -1,
        "trainer.n_gpus_per_node": "${GPUS:-8}",
        "trainer.nnodes": "${NODES:-1}",
        "trainer.project_name": "orchestra",
        "trainer.experiment_name": definition.name,
        "trainer.logger": "console",
    }
    lines = [f'  {name}="{value}"' for name, value in settings.items()]
    known = f":-{shlex.quote(definition.base)}"
    # What comes with this program is out of the cluster's reach.
    base = ":?set it to a model that the cluster reaches" if definition.base.startswith(BUNDLED) else known
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            "# Submits this folder to a Ray cluster (RAY_ADDRESS) whose image has verl; see README.md.",
            "set -euo pipefail",
            'cd "$(dirname "$0")"',
            f"BASE=${{BASE{base}}}",
            'ray job submit --address "${RAY_ADDRESS:-http://127.0.0.1:8265}" --working-dir . --no-wait '
            '--runtime-env-json \'{"env_vars": {"PYTHONPATH": "."}}\' -- \\',
            "  python3 -m verl.trainer.main_ppo \\",
            " \\\n".join(lines),
            "",
        ]
    )
