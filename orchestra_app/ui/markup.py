"""HTML as values: whatever is not markup already is escaped, so that text stays text."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

Child = str | Markup | None


def tag(name: str, *children: Child, **attributes: Any) -> Markup:
    """Return one element; children and attribute values are escaped, None and False are left out.

    A trailing underscore of an attribute's name is dropped, the others become hyphens.
    """
    # Plain strings, each part escaped: `Markup.format` takes twice as long, and a page has thousands.
    said = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{said}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Return the children one after the other, escaped where they are not markup."""
    # To ask `escape` about what is markup already takes most of the time of a page.
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child) for child in children if child is not None
        )
    )


def _attribute(name: str, value: Any) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def dollars(usd: float, digits: int | None = None) -> str:
    """Return an amount as it is shown: two digits from a dollar on, else four."""
    if digits is None:
        digits = 2 if usd >= 1 else 4
    least = 10**-digits
    return f"<${least:.{digits}f}" if 0 < usd < least / 2 else f"${usd:,.{digits}f}"


def seconds(value: float) -> str:
    """Return a duration as it is shown."""
    if value >= 100:
        return f"{value:,.0f} s"
    return f"{value:.2f} s" if 0 < value < 0.1 else f"{value:.1f} s"
