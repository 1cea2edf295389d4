"""The filters of the Traces page: their fields, what the menus offer, and how a link sets them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.core.events import FINISHED
from orchestra_app.storage.queries import Facets
from orchestra_app.ui.links import SORTS, Fields
from orchestra_app.ui.listing import person, short
from orchestra_app.ui.markup import tag
from orchestra_app.ui.sheet import parts, sheet
from orchestra_app.ui.texts import TEXTS, label
from orchestra_app.ui.visitor import Visitor

Texts = Mapping[str, str]
MENUS = ("verdict", "status", "policy", "catalog", "tool", "who")
TYPED = ("cost_from", "cost_to", "seconds_from", "seconds_to", "since", "until")
BEHIND = ("catalog", "tool", "who", *TYPED)
"""The fields that are folded away until one is wanted."""
ONLY = ("parent", "group", "setting", "source")
"""What is filtered by through links alone."""
LABELS = {
    **{name: f"filter_{name}" for name in MENUS},
    **{name: f"finding_{name}" for name in TYPED},
    "cost_from": "filter_from",
    "cost_to": "filter_to",
    "who": "finding_who",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """The components of the filters."""

    fields: dict[str, Any]
    more: gr.Accordion
    only: gr.State
    """The filters of `ONLY` that a link or a click has set."""
    marks: gr.HTML
    """Shows these, each with a button that removes it."""
    clear: gr.Button

    @property
    def inputs(self) -> list[Any]:
        """The inputs of `values`, in its order."""
        return [self.only, *self.fields.values()]

    @property
    def outputs(self) -> list[Any]:
        """The components that `menus` and `set_to` give values for."""
        return [*self.inputs, self.more]

    def values(self, sent: Sequence[Any]) -> dict[str, Any]:
        """Return what the page sent by the names of the filters; nothing of it is checked."""
        only, *typed = sent
        kept = {name: only.get(name) for name in ONLY} if isinstance(only, dict) else {}
        return kept | dict(zip(self.fields, typed, strict=False))

    def menus(
        self, facets: Facets, fields: Fields, visitor: Visitor, *, filled: bool = False
    ) -> dict[Any, Any]:
        """Return the menus with what there is to choose; a chosen value stays, even where it has no trace.

        filled: whether they are set to the fields, too.
        """
        any_, counts = (TEXTS[visitor.language]["any"], ""), _counts(facets)
        menus = {}
        for name in MENUS:
            chosen = fields.get(name, "")
            found = counts[name] | ({chosen: 0} if chosen and chosen not in counts[name] else {})
            options = [(_option(name, value, count, visitor), value) for value, count in found.items()]
            shown = name != "who" or (visitor.admin and len(found) > 1)
            value: dict[str, Any] = {"value": chosen} if filled else {}
            menus[self.fields[name]] = gr.Dropdown([any_, *options], visible=shown, **value)
        return menus

    def set_to(self, fields: Fields, facets: Facets, visitor: Visitor) -> dict[Any, Any]:
        """Return the form as a link's fields fill it."""
        typed = {self.fields[name]: fields.get(name, "") for name in ("text", *TYPED)}
        return (
            typed
            | self.menus(facets, fields, visitor, filled=True)
            | {
                self.fields["sort"]: fields.get("sort", SORTS[0]),
                self.only: {name: fields[name] for name in ONLY if name in fields},
                self.more: gr.Accordion(open=any(name in fields for name in BEHIND)),
            }
        )


def filters() -> Filters:
    """Lay the filters out."""
    with gr.Row(elem_classes=["filters"]):
        text = gr.Textbox(
            label=label("find"),
            placeholder=label("find_placeholder"),
            max_lines=1,
            min_width=220,
            elem_id="find",
        )
        front = {name: _menu(name) for name in ("verdict", "status", "policy")}
        sort = gr.Dropdown(
            [(label(f"finding_{name}"), name) for name in SORTS],
            value="newest",
            label=label("finding_sort"),
            min_width=130,
            elem_id="sort",
            filterable=False,
        )
        clear = gr.Button(label("clear"), size="sm", scale=0, min_width=100, elem_id="clear-filters")
    with (
        gr.Accordion(label("finding_more"), open=False, elem_id="more-filters") as more,
        gr.Row(elem_classes=["filters"]),
    ):
        back = {name: _menu(name, visible=name != "who") for name in ("catalog", "tool", "who")}
        typed = {name: _typed(name) for name in TYPED}
    return Filters(
        fields={"text": text, **front, **back, **typed, "sort": sort},
        more=more,
        only=gr.State({}, time_to_live=86_400),
        marks=sheet(elem_id="filter-marks"),
        clear=clear,
    )


def marks(fields: Fields, unread: Sequence[str], texts: Texts) -> dict[str, Any]:
    """Return what a link alone has asked for, and which typed values are left out."""
    only = [
        tag(
            "button",
            texts[f"finding_only_{name}"].format(name=short(fields[name])),
            tag("span", "×", aria_hidden="true"),
            type="button",
            class_="chip",
            title=f"{fields[name]} – {texts['finding_drop']}",
            aria_label=f"{texts[f'finding_only_{name}'].format(name=fields[name])}: {texts['finding_drop']}",
            data_action="drop",
            data_id=name,
        )
        for name in ONLY
        if name in fields
    ]
    names = ", ".join(texts[LABELS[name]] for name in unread)
    said = tag("p", texts["finding_unread"].format(names=names), class_="trouble", role="status")
    return parts("marks", only, said if unread else "")


def _menu(name: str, *, visible: bool = True) -> gr.Dropdown:
    return gr.Dropdown(
        [(label("any"), "")],
        value="",
        label=label(LABELS[name]),
        min_width=110,
        elem_id=f"filter-{name}",
        filterable=False,
        visible=visible,
    )


def _typed(name: str) -> gr.Textbox:
    return gr.Textbox(
        label=label(LABELS[name]),
        placeholder=label("finding_day") if name in ("since", "until") else None,
        min_width=90,
        max_lines=1,
        elem_id="filter-" + name.replace("_", "-"),
    )


def _counts(facets: Facets) -> dict[str, dict[str, int]]:
    decided = [facets.verdicts[name] for name in ("correct", "incorrect") if name in facets.verdicts]
    finished = [facets.statuses[name] for name in FINISHED if name in facets.statuses]
    return {
        "verdict": facets.verdicts | ({"decided": sum(decided)} if len(decided) == 2 else {}),
        "status": facets.statuses | ({"finished": sum(finished)} if len(finished) > 1 else {}),
        "policy": facets.policies,
        "catalog": facets.catalogs,
        "tool": facets.tools,
        "who": facets.owners,
    }


def _option(menu: str, value: str, count: int, visitor: Visitor) -> str:
    texts = TEXTS[visitor.language]
    match menu, value:
        case "verdict", "decided":
            name = texts["finding_decided"]
        case "verdict" | "status", _:
            name = texts[f"{menu}_{value}"]
        case "who", _:
            name = person(value, visitor.owner, texts)
        case _:
            name = value
    return f"{name} ({count:,})"
