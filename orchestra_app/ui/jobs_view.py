"""Training jobs as they are shown: the list, one job with its curves, and its checkpoints."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.training.definition import explained
from orchestra_app.training.progress import Evaluated, Finished, Progress, Started, Stepped, Tally
from orchestra_app.training.survey import Survey
from orchestra_app.ui.curves import curves, of_traces
from orchestra_app.ui.links import link
from orchestra_app.ui.markup import dollars, join, seconds, tag

Texts = Mapping[str, str]
STEPS_LISTED = 40
"""Steps whose rollouts can be opened, the newest ones."""


def job_list(jobs: Sequence[Job], chosen: str, texts: Texts) -> Markup:
    """Return the list of jobs; without any, what to do."""
    if not jobs:
        return tag("p", texts["train_none"], class_="quiet")
    rows = [
        tag(
            "li",
            tag("button", job.name, type="button", class_="name", data_action="pick", data_id=job.id),
            tag("span", texts[f"train_status_{job.status}"], class_=f"chip status-{job.status}"),
            tag("span", f"{job.created_at:%Y-%m-%d %H:%M}", class_="quiet"),
            aria_current="true" if job.id == chosen else None,
        )
        for job in jobs
    ]
    return tag("ul", *rows, class_="jobs")


def job_pieces(
    job: Job, events: Sequence[Progress], texts: Texts, *, log: str, admin: bool, sure: bool
) -> list[Markup]:
    """Return what is shown of one job: head, curves, tool mix, rollouts, evaluations and log.

    sure: whether the question before deleting stands open.
    """
    why = _why(job, events, texts, admin=admin)
    head = tag(
        "section", tag("h3", job.name), _standing(job, events, texts), why, _acts(job, texts, admin, sure)
    )
    drawn = curves(events, texts)
    begun = any(e.type == "started" for e in events)
    waiting = (
        None
        if drawn or job.over
        else tag("p", texts["train_first" if begun else "train_waiting"], class_="quiet")
    )
    note = (
        tag("p", texts["train_evaluated"], class_="quiet")
        if any(e.type == "evaluated" for e in events)
        else None
    )
    return [
        head,
        join([waiting, drawn, note]),
        _mix(events, texts),
        _rollouts(events, texts),
        _evaluations(events, texts),
        _learned_from(events, texts),
        _folded(texts["train_log"], tag("pre", log, class_="log", tabindex=0)) if log else Markup(""),
    ]


def _why(job: Job, events: Sequence[Progress], texts: Texts, *, admin: bool) -> Markup | None:
    """Return why a job ended before its last step; only an administrator reads paths and commands."""
    # What was told before it was last resumed says nothing of how it ended since.
    last = events[-1] if len(events) > job.heard else None
    if job.over and isinstance(last, Finished) and last.status in ("stopped", "capped"):
        cap = "" if job.cap is None else dollars(job.cap)
        return tag("p", texts[f"train_was_{last.status}"].format(cap=cap), class_="quiet")
    if job.error is None:
        return None
    if not admin:
        return tag("p", texts["train_was_failed"], class_="problem") if job.status == "failed" else None
    return tag("p", job.error, class_="problem" if job.status == "failed" else "quiet")


def _standing(job: Job, events: Sequence[Progress], texts: Texts) -> Markup:
    started = [event for event in events if isinstance(event, Started)]
    stepped = [event for event in events if isinstance(event, Stepped)]
    pieces = [texts[f"train_status_{job.status}"]]
    if started:
        done = stepped[-1].step if stepped else started[-1].done
        steps = started[-1].steps
        pieces.append(texts["train_progress"].format(done=done, steps=steps))
        recent = [event.seconds.total for event in stepped[-10:]]
        if not job.over and recent and done < steps:
            left = (steps - done) * sum(recent) / len(recent)
            pieces.append(texts["train_left"].format(seconds=seconds(left)))
        if started[-1].simulated:
            pieces.append(texts["train_simulated"])
        elif stepped:
            pieces.append(texts["train_spent"].format(usd=dollars(stepped[-1].spent)))
    return tag("p", " · ".join(pieces), class_="quiet", role="status")


def _acts(job: Job, texts: Texts, admin: bool, sure: bool) -> Markup | None:
    if not admin:
        return None
    if sure:
        names = [("delete-sure", "train_sure", "bad"), ("pick", "train_keep", "")]
    elif job.over:
        names = [("resume", "train_resume", "")] if job.status != "done" else []
        names.append(("delete", "train_delete", ""))
    else:
        names = [("stop", "train_stop", ""), ("kill", "train_kill", "bad")]
        if job.error is not None:
            names.append(("delete", "train_delete", ""))
    buttons = [_act(name, texts[text], job.id, kind) for name, text, kind in names]
    return tag("div", *buttons, class_="acts")


def _act(action: str, text: str, target: str, kind: str = "") -> Markup:
    return tag(
        "button", text, type="button", class_=f"act {kind}".strip(), data_action=action, data_id=target
    )


def _mix(events: Sequence[Progress], texts: Texts) -> Markup:
    stepped = [
        event.rollouts.calls for event in events if isinstance(event, Stepped) and event.rollouts.count
    ]
    if not stepped:
        return Markup("")
    first, last = stepped[0], stepped[-1]
    most = max([*last.values(), 0.001])
    rows: list[Markup] = []
    for name in sorted({*first, *last}):
        width = f"width: {100 * last.get(name, 0) / most:.0f}%"
        rows += [
            tag("span", name),
            tag("span", class_="bar", style=width),
            tag("span", f"{last.get(name, 0):.2f} ({first.get(name, 0):.2f})", class_="was"),
        ]
    title = texts["train_mix_of_traces" if of_traces(events) else "train_mix"]
    return tag("section", tag("h3", title), tag("div", *rows, class_="mix"))


def _rollouts(events: Sequence[Progress], texts: Texts) -> Markup:
    with_group = [event for event in events if isinstance(event, Stepped) and event.group][-STEPS_LISTED:]
    if not with_group:
        return Markup("")
    links = [
        tag("a", texts["train_open_rollouts"].format(step=event.step), href=link(group=event.group + "*"))
        for event in with_group
    ]
    return _folded(
        texts["train_rollouts"],
        tag("p", texts["train_rollouts_info"], class_="quiet"),
        tag("p", Markup(" · ").join(links)),
    )


def _evaluations(events: Sequence[Progress], texts: Texts) -> Markup:
    found = [event for event in events if isinstance(event, Evaluated)]
    if not found:
        return Markup("")
    rows = [
        tag(
            "li",
            texts["train_eval_row"].format(
                step=event.step,
                share=f"{100 * event.rollouts.accuracy:.1f} %",
                error=f"{196 * event.rollouts.error:.1f}",
                usd=dollars(event.rollouts.cost),
                seconds=seconds(event.rollouts.seconds),
            ),
        )
        for event in found
    ]
    return tag("section", tag("h3", texts["train_figures"]), tag("ul", *rows))


def _learned_from(events: Sequence[Progress], texts: Texts) -> Markup:
    tallies = [event.tally for event in events if isinstance(event, (Started, Stepped))]
    total = sum(tallies, Tally())
    if not total.samples:
        return Markup("")
    return _folded(texts["train_tally"], tally_shown(total))


def tally_shown(tally: Tally) -> Markup:
    """Return every figure of a tally that is not 0, with what it means."""
    rows: list[Markup] = []
    for name, value in tally.model_dump().items():
        if value:
            rows += [
                tag("dt", f"{value:.3f}" if isinstance(value, float) else f"{value:,}"),
                tag("dd", Tally.model_fields[name].description or name),
            ]
    return tag("dl", *rows, class_="settings")


def checkpoint_list(found: Sequence[Checkpoint], texts: Texts, *, admin: bool) -> Markup:
    """Return the checkpoints with their lineage and what can be done with them."""
    if not found:
        return tag("p", texts["train_no_checkpoints"], class_="quiet")
    default = max((each.promoted_at for each in found if each.promoted_at), default=None)
    rows = [_checkpoint(each, texts, admin=admin, default=default is not None and each.promoted_at == default)
            for each in found]  # fmt: skip
    return join([tag("ul", *rows, class_="checkpoints"), tag("p", texts["train_compare"], class_="quiet")])


def _checkpoint(each: Checkpoint, texts: Texts, *, admin: bool, default: bool) -> Markup:
    lineage = each.card.get("lineage") or {}
    learned = lineage.get("learned") or {}
    figures = each.card.get("figures")
    said = texts["train_lineage"].format(
        step=lineage.get("step", 0),
        rollouts=lineage.get("rollouts", 0),
        human=learned.get("human", 0),
        benchmark=learned.get("benchmark", 0),
        judge=learned.get("judge", 0),
        share=f"{100 * lineage.get('simulated', 1.0):.0f} %",
    )
    acts = [
        _act("demote", texts["train_demote"], each.id)
        if default
        else _act("promote", texts["train_promote"], each.id),
        _act("pack", texts["train_download"], each.id),
    ]
    measured = f"{100 * figures['accuracy']:.1f} % · {dollars(figures['cost'])}" if figures else ""
    return tag(
        "li",
        tag("b", each.name),
        tag("span", texts["train_is_default"], class_="chip") if default else None,
        tag("span", measured, class_="quiet"),
        *(acts if admin else []),
        tag("span", said, class_="lineage"),
    )


def survey_shown(found: Survey, texts: Texts) -> Markup:
    """Return what a definition comes to, and what stands in its way."""
    unknown = texts["train_unknown"]
    simulated = f" ({texts['train_simulated']})" if found.simulated and found.cost else ""
    lines = [
        (texts["train_rollouts_made" if found.questions else "train_rollouts_tried"], f"{found.rollouts:,}"),
        (texts["train_likely_cost"], unknown if found.cost is None else dollars(found.cost) + simulated),
        (texts["train_likely_time"], unknown if found.seconds is None else seconds(found.seconds)),
    ]
    if found.questions:
        lines.insert(0, (texts["train_questions"], f"{found.questions:,}"))
    rows = [piece for name, value in lines for piece in (tag("dt", value), tag("dd", name))]
    verdict = (
        tag("p", found.obstacle, class_="problem", role="alert")
        if found.obstacle
        else tag("p", texts["train_ready"], class_="quiet", role="status")
    )
    tally = tally_shown(found.tally) if found.tally.traces or found.tally.groups else None
    return join([tag("dl", *rows, class_="settings"), tally, verdict])


def settings_shown() -> Markup:
    """Return what each setting of a definition means."""
    rows = [piece for name, text in explained().items() for piece in (tag("dt", name), tag("dd", text))]
    return tag("dl", *rows, class_="settings")


def _folded(title: str, *children: Markup) -> Markup:
    return tag("details", tag("summary", title), *children, class_="fold")
