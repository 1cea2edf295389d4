"""The README of an exported dataset: what it is, its figures, and what is asked of whoever uses it."""

from orchestra_app.dataset.table import COLUMNS
from orchestra_app.dataset.tally import Tally
from orchestra_app.scoring.agreement import Agreement, Pair, agreement

TITLES = {
    "jsonl": "Traces of Orchestra",
    "parquet": "Traces of Orchestra",
    "toolorchestra": "Training rows for ToolOrchestra",
    "sft": "Conversations for supervised fine-tuning",
}
_TRACES = """\
`{file}` holds one trace per {row}: a question, every turn of the policy with the tools as they were \
offered, every call with its result, every charge with the price it was booked at, and the labels. \
`catalogs.jsonl` holds the catalogues that the traces name, each as the exact text of which its hash is \
taken. `votes.jsonl` is there where people compared two of these traces without seeing their settings: \
the one shown first, the one shown second, and which was better. `schema.json` is the JSON schema of a \
trace; `cost`, `usage`, `adherence`, `correct` and `simulated` stand beside its fields and follow from \
them. `orchestra import FOLDER` reads the traces back, with the votes."""
_SHAPES = {
    "jsonl": _TRACES.format(file="traces.jsonl", row="line"),
    "parquet": _TRACES.format(file="traces.parquet", row="row"),
    "toolorchestra": """\
`rows.jsonl` holds one row per question in the format of ToolOrchestra's `data.jsonl`: `index`, \
`category`, `problem`, `answer`, `tools`, `model_mapping`, `tool_pricing`, `pref_vec`, and `simulated`. \
As the reference reads them, the prices are USD per **token**, although their names say per million; a \
search's price includes its extracts.""",
    "sft": """\
`rows.jsonl` holds one row per turn that the policy itself decided: `messages` is the prompt as the \
policy read it, and its reply with each call as a `<tool_call>` block, as Qwen3's chat template writes \
it; `tools` are the schemas that the template takes. Unless another verdict was asked for, only traces \
whose answer was right are here.""",
}
_REHEARSED = """\
**{share:.0%} of these traces ({simulated} of {traces}) are rehearsals.** Their experts, costs and \
seconds are simulated and say nothing about real models; they carry `"simulated": true`."""
_REAL = "None of these traces is a rehearsal: every model, cost and second was real."
_LICENCE = """\
The licence is for the owner of this dataset to state; `other` stands here until then. Answers and \
reasoning of commercial models may come under their providers' terms, which often restrict training \
competing models on them. Documents that were found on the web belong to their authors."""
_PEOPLE = """\
Known keys and passwords of the machine that exported it were replaced by the names of their variables. \
{names} What people typed stands here as they typed it, and catalogues name the addresses of their model \
servers and the folders of their corpora."""


def card(tally: Tally, *, form: str, made: str, shared: bool) -> str:
    """Return the README as Markdown, with the block that the Hugging Face Hub reads at its top."""
    named = "Owners and people who labelled appear as numbers." if shared else "Owners appear by name."
    parts = [
        _front(tally, form),
        f"# {TITLES[form]}\n\nExported by Orchestra on {made}.",
        _SHAPES[form],
        "## Real or rehearsed\n\n" + (_rehearsed(tally) if tally.simulated else _REAL),
        "## Figures\n\n" + _figures(tally),
        "## Verdicts and agreement\n\n" + _table("verdict", tally) + "\n\n" + _agreements(tally),
        *(f"## By {what}\n\n{_table(what, tally)}" for what in ("status", "policy", "catalogue")),
        "## Prices\n\n" + _prices(tally),
        *(["## Columns\n\n" + _columns()] if form == "parquet" else []),
        "## People\n\n" + _PEOPLE.format(names=named),
        f"## Licence\n\n{_LICENCE}",
    ]
    return "\n\n".join(parts) + "\n"


def _front(tally: Tally, form: str) -> str:
    file = {"jsonl": "traces.jsonl", "parquet": "traces.parquet"}.get(form, "rows.jsonl")
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    size = next((name for bound, name in bounds if tally.rows < bound), "n>1M")
    lines = (
        f"pretty_name: {TITLES[form]}",
        "license: other",
        "tags: [orchestra, tool-use, agents, cost]",
        f"size_categories: [{size}]",
        f"configs: [{{config_name: default, data_files: {file}}}]",
    )
    return "\n".join(("---", *lines, "---"))


def _rehearsed(tally: Tally) -> str:
    share = tally.simulated / tally.traces
    return _REHEARSED.format(share=share, simulated=tally.simulated, traces=tally.traces)


def _figures(tally: Tally) -> str:
    left = ", ".join(f"{number:,} {reason}" for reason, number in sorted(tally.left_out.items()))
    rows = {
        "traces": f"{tally.traces:,}",
        "rows": f"{tally.rows:,}",
        "blind votes": f"{tally.votes:,}",
        "asked between": f"{tally.first:%Y-%m-%d} and {tally.last:%Y-%m-%d}",
        "real money": f"${tally.cost:,.4f}",
        "simulated money": f"${tally.simulated_cost:,.4f}",
        "left out": left or "none",
    }
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows.items())]
    )


def _table(what: str, tally: Tally) -> str:
    counted = tally.by.get(what, {})
    rows = [f"| {_cell(name)} | {counted[name]:,} |" for name in sorted(counted)]
    return "\n".join([f"| {what} | traces |", "|---|---|", *rows])


def _agreements(tally: Tally) -> str:
    return "\n".join(
        (
            _said("Two people on the same trace", tally.people, "was labelled by two people"),
            _said("A judge and a person", tally.judged, "has a label of both"),
        )
    )


def _said(who: str, pairs: list[Pair], otherwise: str) -> str:
    found: Agreement = agreement(pairs)
    if found.observed is None:
        return f"- {who}: no trace {otherwise}."
    kappa = "undefined, since all verdicts are the same" if found.kappa is None else f"{found.kappa:.2f}"
    return f"- {who}: {found.pairs:,} pairs, {found.observed:.0%} the same, Cohen's κ {kappa}."


def _prices(tally: Tally) -> str:
    lines = []
    for source in sorted(tally.prices):
        days = sorted(day for day in tally.prices[source] if day)
        read = f"read {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else "without a date"
        lines.append(f"- {_cell(source) or 'no source'}: {read}")
    return "\n".join(lines) or "No charge was made."


def _columns() -> str:
    rows = [f"| `{name}` | {kind} | {told} |" for name, (kind, told) in COLUMNS.items()]
    return "\n".join(["| column | type | |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:200]
