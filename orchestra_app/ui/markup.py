"""HTML as values: whatever is not markup already is escaped, so that text stays text."""

from collections.abc import Iterable
from datetime import datetime
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


# Figures are written alike everywhere: "78.3 %", "−$0.0013", "4.2 s"; with `sign`, what is more has a plus.


def dollars(usd: float, digits: int | None = None, *, sign: bool = False) -> str:
    """Return an amount as it is shown: two digits from a dollar on, else four."""
    if digits is None:
        digits = 2 if abs(usd) >= 1 else 4
    least = 10**-digits
    if 0 < usd < least / 2 and not sign:
        return f"<${least:.{digits}f}"
    return _signed(usd, f"${abs(usd):,.{digits}f}", sign)


def seconds(value: float, *, sign: bool = False) -> str:
    """Return a duration as it is shown."""
    size = abs(value)
    digits = 0 if size >= 100 else 2 if 0 < size < 0.1 else 1
    return _signed(value, f"{size:,.{digits}f} s", sign)


def per_cent(share: float, digits: int = 0, *, sign: bool = False) -> str:
    """Return a share of 1 as it is shown."""
    return _signed(share, f"{100 * abs(share):.{digits}f} %", sign)


def moment(at: datetime) -> str:
    """Return a moment of UTC as it is shown, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _signed(value: float, size: str, sign: bool) -> str:
    return f"−{size}" if value < 0 else f"+{size}" if sign and value > 0 else size
