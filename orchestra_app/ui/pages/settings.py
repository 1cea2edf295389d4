"""The left column of the Ask page: who conducts, over what, how gladly and within which budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.task import NEUTRAL
from orchestra_app.ui.presets import BALANCED, NAMES
from orchestra_app.ui.receipt import rates
from orchestra_app.ui.texts import label

NUMBER: dict[str, Any] = {"min_width": 60, "interactive": True}


@dataclass(frozen=True, slots=True)
class Settings:
    """The components that stand for every catalogue; the mixer's sliders are drawn per catalogue."""

    catalog: gr.Dropdown
    policy: gr.Dropdown
    presets: dict[str, gr.Button]
    budget: tuple[gr.Number, gr.Number, gr.Number]
    """USD, seconds and turns."""
    cost: gr.Slider
    latency: gr.Slider
    mixer: gr.Column
    soft: gr.Checkbox
    vendors: gr.Dropdown
    seed: gr.Number
    neutral: gr.Button

    @property
    def fixed(self) -> list[Any]:
        """The inputs of a wish, in the order of `Wish.fixed`."""
        return [self.vendors, self.soft, self.cost, self.latency, *self.budget, self.seed]


def settings(catalogs: list[tuple[str, str]], *, prefix: str = "") -> Settings:
    """Lay the column out; `catalogs` are titles and names, the default first.

    prefix: stands before every element id, where the catalogue is given and its menu is not shown.
    """
    usual = BALANCED
    catalog = gr.Dropdown(
        catalogs,
        value=catalogs[0][1],
        label=label("catalog_menu"),
        elem_id=prefix + "catalog",
        filterable=False,
        interactive=True,
        visible=not prefix,
    )
    policy = gr.Dropdown(
        [], label=label("policy_menu"), elem_id=prefix + "policy", filterable=False, interactive=True
    )
    with gr.Row(elem_classes=["segments"], elem_id=prefix + "presets"):
        presets = {
            name: gr.Button(label(name), size="sm", elem_id=f"{prefix}preset-{name}", min_width=60)
            for name in NAMES
        }
    _title("budget")
    with gr.Row(elem_classes=["budget"]):
        limits = (
            gr.Number(
                usual.budget[0],
                label=label("budget_cost"),
                elem_id=prefix + "budget-cost",
                step=0.01,
                **NUMBER,
            ),
            gr.Number(
                usual.budget[1],
                label=label("budget_seconds"),
                elem_id=prefix + "budget-seconds",
                step=10,
                **NUMBER,
            ),
            gr.Number(
                usual.budget[2],
                label=label("budget_turns"),
                elem_id=prefix + "budget-turns",
                step=1,
                **NUMBER,
            ),
        )
    _title("matters")
    with gr.Group(elem_classes=["desk"]):
        cost = _slider(label("cost"), usual.cost, elem_id=prefix + "matters-cost")
        latency = _slider(label("latency"), usual.latency, elem_id=prefix + "matters-latency")
    _title("mixer", hint="mixer_hint")
    mixer = gr.Column(elem_id=prefix + "mixer")
    vendors = gr.Dropdown(
        [],
        value=[],
        multiselect=True,
        label=label("vendors"),
        elem_id=prefix + "exclude-vendors",
        filterable=False,
        interactive=True,
    )
    soft = gr.Checkbox(False, label=label("soft"), elem_id=prefix + "soft", container=False, interactive=True)
    with gr.Accordion(label("advanced"), open=False, elem_id=prefix + "advanced"):
        seed = gr.Number(
            0, label=label("seed"), info=label("seed_info"), elem_id=prefix + "seed", step=1, interactive=True
        )
    neutral = gr.Button(label("neutral"), size="sm", variant="secondary", elem_id=prefix + "neutral")
    return Settings(
        catalog=catalog,
        policy=policy,
        presets=presets,
        budget=limits,
        cost=cost,
        latency=latency,
        mixer=mixer,
        soft=soft,
        vendors=vendors,
        seed=seed,
        neutral=neutral,
    )


def mixer(
    catalog: Catalog,
    obstacles: Mapping[str, str],
    texts: Mapping[str, str],
    *,
    prefix: str = "",
    weights: Mapping[str, float] | None = None,
) -> dict[str, gr.Slider]:
    """Draw a slider for each tool, source and model of a catalogue and return them by name.

    prefix: stands before every element id. weights: where the sliders stand; neutral without.
    """
    sliders = {}
    groups = {"mixer_tools": catalog.tools, "mixer_sources": catalog.sources, "mixer_models": catalog.models}
    for title, names in groups.items():
        _title(title, small=True)
        with gr.Group(elem_classes=["desk"]):
            for name in catalog.sliders:
                if name in names:
                    placed: dict[str, Any] = {"elem_id": f"{prefix}prefer-{name}"}
                    # A key keeps what the person set while the mixer is drawn anew.
                    placed |= {"key": f"{catalog.name}-{name}"} if weights is None else {}
                    placed |= {"value": (weights or {}).get(name, NEUTRAL)}
                    sliders[name] = _channel(name, catalog, obstacles.get(name), texts, **placed)
    return sliders


def vendors(catalog: Catalog) -> list[tuple[str, str]]:
    """Return the vendors of the models that tools use, as choices."""
    used = [catalog.models[name].vendor for name in catalog.sliders if name in catalog.models]
    return [(vendor, f"vendor:{vendor}") for vendor in sorted({each for each in used if each})]


def _channel(
    name: str, catalog: Catalog, obstacle: str | None, texts: Mapping[str, str], **placed: Any
) -> gr.Slider:
    if name in catalog.tools:
        title, said = catalog.tools[name].title, None
    elif name in catalog.sources:
        title, said = catalog.sources[name].title, rates(catalog.sources[name].price, texts)
    else:
        title, said = name, _short_price(catalog, name, texts)
    return _slider(
        title,
        info=obstacle or said,
        interactive=obstacle is None,
        elem_classes=["unreachable"] if obstacle else [],
        **placed,
    )


def _short_price(catalog: Catalog, name: str, texts: Mapping[str, str]) -> str:
    price = catalog.models[name].price
    if price is None or not (price.input or price.output):
        return rates(price, texts)
    return f"${price.input:g} / ${price.output:g}"


def _slider(title: Any, value: float, **options: Any) -> gr.Slider:
    shown: dict[str, Any] = {"interactive": True, "buttons": []} | options
    return gr.Slider(0, 1, value, step=0.05, label=title, min_width=80, **shown)


def _title(key: str, *, small: bool = False, hint: str | None = None) -> None:
    with gr.Row(elem_classes=["title", "small"] if small else ["title"]):
        gr.Markdown(label(key), container=False)
        if hint:
            gr.Markdown(label(hint), container=False, elem_classes=["hint"])
