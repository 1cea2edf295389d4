"""The guided example of the Train page: collect traces in a changed world, learn from them, compare."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.training import story
from orchestra_app.training.definition import Definition
from orchestra_app.ui import sweeping
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.markup import join, tag
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor

JOBS = {"guide-collect": story.collecting, "guide-learn": story.from_traces}
"""The jobs that the example's buttons launch."""
COMPARE = "guide-compare"
COMPARED = 120
"""Held-out questions of the comparison."""


def guide(jobs: Sequence[Job], checkpoints: Sequence[Checkpoint], texts: Mapping[str, str]) -> Markup:
    """Return the steps of the example, each with how far it is and a button that works in its turn."""
    collected, learned = (_newest(jobs, made()) for made in JOBS.values())
    ready = {
        "guide-collect": collected is None or collected.over,
        "guide-learn": collected is not None and collected.over and (learned is None or learned.over),
        COMPARE: _policy(checkpoints) is not None,
    }
    under_way = {"guide-collect": collected, "guide-learn": learned}
    rows = [_step(action, under_way.get(action), texts, ready=able) for action, able in ready.items()]
    return join([tag("p", texts["guide_why"], class_="quiet"), tag("ol", *rows, class_="guide")])


def _step(action: str, job: Job | None, texts: Mapping[str, str], *, ready: bool) -> Markup:
    name = action.replace("-", "_")
    chip = job and tag("span", texts[f"train_status_{job.status}"], class_=f"chip status-{job.status}")
    button = tag(
        "button",
        texts[name],
        type="button",
        class_="act",
        data_action=action,
        disabled=not ready,
    )
    return tag("li", tag("span", texts[f"{name}_info"]), button, chip)


async def compare(desk: Desk, visitor: Visitor) -> None:
    """Start a comparison of the small policy as shipped with what it has become; raises ConfigError."""
    policy = _policy(await desk.workspace.store.checkpoints())
    if policy is None:
        raise ConfigError(TEXTS[visitor.language]["guide_nothing"])
    budget = story.from_traces().budget
    form = sweeping.Form(
        limit=COMPARED,
        catalog=story.CATALOG,
        policies=["small", policy.name],
        budgets=str(budget.cost),
        seconds=budget.seconds,
        turns=budget.turns,
    )
    await sweeping.launched(desk, visitor, form, sure=True)


def _newest(jobs: Sequence[Job], definition: Definition) -> Job | None:
    return next((job for job in jobs if job.name == definition.name), None)


def _policy(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    return next((each for each in checkpoints if each.catalog == story.CATALOG), None)
