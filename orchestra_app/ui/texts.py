"""The texts of the page in English and simplified Chinese; words in braces are filled in on the server.

A part of the page may bring its own texts, in a module of its own that `PARTS` names.
"""

from types import ModuleType

import gradio as gr
from gradio.i18n import I18nData

from orchestra_app.ui import (
    texts_blind,
    texts_exchange,
    texts_facts,
    texts_finding,
    texts_frontier,
    texts_labels,
    texts_queue,
    texts_study,
    texts_train,
)
from orchestra_app.ui.texts_en import ENGLISH
from orchestra_app.ui.texts_zh import CHINESE

PARTS: tuple[ModuleType, ...] = (
    texts_blind,
    texts_exchange,
    texts_facts,
    texts_finding,
    texts_frontier,
    texts_labels,
    texts_queue,
    texts_study,
    texts_train,
)
"""Each has ENGLISH and CHINESE, with keys that begin with the part's name."""
TEXTS = {
    "en": ENGLISH | {key: text for part in PARTS for key, text in part.ENGLISH.items()},
    "zh": CHINESE | {key: text for part in PARTS for key, text in part.CHINESE.items()},
}
_PREFIX = "orchestra."
"""Keeps a typed question that happens to equal a key from being translated."""


def label(key: str) -> I18nData:
    """Return a text that the browser shows in its own language."""
    return I18nData(_PREFIX + key)


def i18n() -> gr.I18n:
    """Return every text for the browser; one of zh-CN or zh-TW finds those of zh."""
    tables = {
        language: {_PREFIX + key: text for key, text in table.items()} for language, table in TEXTS.items()
    }
    return gr.I18n(**tables)
