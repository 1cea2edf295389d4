"""The look: an own theme on Gradio's base, the style sheet, the bundled fonts and the page's script."""

import json
from pathlib import Path
from urllib.parse import quote

from gradio.themes import Base, Color, Font, sizes

from orchestra_app.ui.texts import TEXTS

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "assets"
FONTS = (("IBM Plex Sans", "IBMPlexSans"), ("IBM Plex Mono", "IBMPlexMono"))
WEIGHTS = (400, 500, 600)

SLATE = (
    "#f8f9fb",
    "#f1f3f6",
    "#e4e7ec",
    "#cdd3dc",
    "#98a1b0",
    "#667085",
    "#475064",
    "#333b4d",
    "#1e2430",
    "#14181f",
    "#0c0e13",
)
INDIGO = (
    "#f2f3ff",
    "#e4e6ff",
    "#cbcffe",
    "#aab2ff",
    "#8b93fb",
    "#6d75f5",
    "#5257e0",
    "#4347bf",
    "#373b99",
    "#2d3178",
    "#1b1d4a",
)


def theme() -> Base:
    """Return the theme: ink on paper, one accent, and every token for light and dark."""
    base = Base(
        primary_hue=Color(*INDIGO),
        neutral_hue=Color(*SLATE),
        font=[Font("IBM Plex Sans"), Font("system-ui"), Font("sans-serif")],
        font_mono=[
            Font("IBM Plex Mono"),
            Font("ui-monospace"),
            Font("monospace"),
        ],
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
    )
    return base.set(
        input_border_width="1px", button_border_width="1px", **_paired(LIGHT, ""), **_paired(DARK, "_dark")
    )


def _paired(tokens: dict[str, str], ending: str) -> dict[str, str]:
    return {name + ending: value for name, value in tokens.items()}


LIGHT = {
    "body_background_fill": "#f7f8fa",
    "body_text_color": "#171b24",
    "body_text_color_subdued": "#5a6374",
    "background_fill_primary": "#ffffff",
    "background_fill_secondary": "#f7f8fa",
    "block_background_fill": "#ffffff",
    "block_border_color": "#e4e7ec",
    "block_label_background_fill": "#ffffff",
    "block_label_text_color": "#475064",
    "block_title_text_color": "#333b4d",
    "block_info_text_color": "#5a6374",
    "block_shadow": "none",
    "border_color_primary": "#e4e7ec",
    "border_color_accent": "#6d75f5",
    "color_accent": "#5257e0",
    "color_accent_soft": "#f2f3ff",
    "link_text_color": "#4347bf",
    "link_text_color_hover": "#2d3178",
    "link_text_color_visited": "#4347bf",
    "link_text_color_active": "#2d3178",
    "input_background_fill": "#ffffff",
    "input_background_fill_focus": "#ffffff",
    "input_border_color": "#d5dae2",
    "input_border_color_focus": "#6d75f5",
    "input_border_color_hover": "#b6bdc9",
    "input_placeholder_color": "#6a7384",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 3px rgba(109, 117, 245, 0.22)",
    "slider_color": "#5257e0",
    "checkbox_background_color_selected": "#5257e0",
    "checkbox_border_color": "#98a1b0",
    "checkbox_border_color_selected": "#5257e0",
    "checkbox_border_color_focus": "#5257e0",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "transparent",
    "checkbox_label_border_color": "transparent",
    "checkbox_label_text_color": "#333b4d",
    "button_primary_background_fill": "#171b24",
    "button_primary_background_fill_hover": "#333b4d",
    "button_primary_text_color": "#ffffff",
    "button_primary_border_color": "#171b24",
    "button_secondary_background_fill": "#ffffff",
    "button_secondary_background_fill_hover": "#f1f3f6",
    "button_secondary_text_color": "#1e2430",
    "button_secondary_text_color_hover": "#1e2430",
    "button_secondary_border_color": "#d5dae2",
    "button_secondary_border_color_hover": "#b6bdc9",
    "button_cancel_background_fill": "#b42318",
    "button_cancel_background_fill_hover": "#912018",
    "button_cancel_text_color": "#ffffff",
    "button_cancel_border_color": "#b42318",
    "error_text_color": "#b42318",
    "error_border_color": "#f0a8a1",
    "error_background_fill": "#fef3f2",
    "error_icon_color": "#b42318",
    "code_background_fill": "#f1f3f6",
    "panel_background_fill": "#ffffff",
    "shadow_drop": "0 1px 2px rgba(16, 24, 40, 0.05)",
}
DARK = {
    "body_background_fill": "#0c0e13",
    "body_text_color": "#e8ebf1",
    "body_text_color_subdued": "#a0a9b8",
    "background_fill_primary": "#13161d",
    "background_fill_secondary": "#0c0e13",
    "block_background_fill": "#13161d",
    "block_border_color": "#252b37",
    "block_label_background_fill": "#13161d",
    "block_label_text_color": "#b7bfcc",
    "block_title_text_color": "#cfd5df",
    "block_info_text_color": "#a0a9b8",
    "block_shadow": "none",
    "border_color_primary": "#252b37",
    "border_color_accent": "#8b93fb",
    "color_accent_soft": "#1b1d4a",
    "link_text_color": "#aab2ff",
    "link_text_color_hover": "#cbcffe",
    "link_text_color_visited": "#aab2ff",
    "link_text_color_active": "#cbcffe",
    "input_background_fill": "#181c25",
    "input_background_fill_focus": "#181c25",
    "input_border_color": "#303746",
    "input_border_color_focus": "#8b93fb",
    "input_border_color_hover": "#475064",
    "input_placeholder_color": "#8d97a8",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 3px rgba(139, 147, 251, 0.25)",
    "slider_color": "#8b93fb",
    "checkbox_background_color": "#181c25",
    "checkbox_background_color_selected": "#6d75f5",
    "checkbox_border_color": "#667085",
    "checkbox_border_color_selected": "#8b93fb",
    "checkbox_border_color_focus": "#8b93fb",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "transparent",
    "checkbox_label_border_color": "transparent",
    "checkbox_label_text_color": "#cfd5df",
    "button_primary_background_fill": "#eef0f5",
    "button_primary_background_fill_hover": "#ffffff",
    "button_primary_text_color": "#0c0e13",
    "button_primary_border_color": "#eef0f5",
    "button_secondary_background_fill": "#1a1f29",
    "button_secondary_background_fill_hover": "#232936",
    "button_secondary_text_color": "#e8ebf1",
    "button_secondary_text_color_hover": "#ffffff",
    "button_secondary_border_color": "#303746",
    "button_secondary_border_color_hover": "#475064",
    "button_cancel_background_fill": "#f97066",
    "button_cancel_background_fill_hover": "#fda29b",
    "button_cancel_text_color": "#1c0504",
    "button_cancel_border_color": "#f97066",
    "error_text_color": "#fda29b",
    "error_border_color": "#7a271a",
    "error_background_fill": "#2a1210",
    "error_icon_color": "#fda29b",
    "code_background_fill": "#181c25",
    "panel_background_fill": "#13161d",
}  # fmt: skip


def css() -> str:
    """Return the style sheet with the faces of the bundled fonts, which no other host serves."""
    sheets = [HERE / "page.css", *sorted((HERE / "styles").glob("*.css"))]
    return "\n".join([*_faces(), *(sheet.read_text(encoding="utf-8") for sheet in sheets)])


SCRIPTED = ("undrawn", "restarted", "reload")
"""Texts that the page's own script says."""


def script() -> str:
    """Return the page's own script: shortcuts, and the settings folded on a phone."""
    source = (HERE / "page.js").read_text(encoding="utf-8")
    said = {language: {name: texts[name] for name in SCRIPTED} for language, texts in TEXTS.items()}
    return f"() => ({source})({json.dumps(said)})"


def _faces() -> list[str]:
    return [
        f"@font-face {{ font-family: '{family}'; font-weight: {weight}; font-display: swap; "
        f"src: url('gradio_api/file={quote(str(path))}') format('woff2'); }}"
        for family, name in FONTS
        for weight in WEIGHTS
        if (path := ASSETS / "fonts" / f"{name}-{weight}.woff2").is_file()
    ]
