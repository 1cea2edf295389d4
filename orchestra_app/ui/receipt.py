"""The bill as HTML: a row per model, source or tool and price, and what it came to."""

from collections.abc import Mapping

from markupsafe import Markup

from orchestra_app.core.trace import Trace
from orchestra_app.core.usage import Price
from orchestra_app.ui.bill import Row, bill
from orchestra_app.ui.markup import dollars, seconds, tag

Texts = Mapping[str, str]
COLUMNS = ("who", "uses", "tokens_in", "tokens_out", "price", "amount")


def receipt(trace: Trace, texts: Texts) -> Markup:
    """Return the itemised bill of `trace`, marked where amounts are simulated or estimated."""
    made = bill(trace)
    if not made.rows:
        return tag("p", texts["nothing_spent"], class_="quiet")
    head = tag("tr", *(tag("th", texts[f"bill_{name}"], scope="col", class_=name) for name in COLUMNS))
    foot = tag(
        "tr",
        tag("th", texts["bill_total"], scope="row", colspan=len(COLUMNS) - 1),
        tag("td", dollars(made.total, 6), class_="amount"),
    )
    table = tag(
        "table",
        tag("caption", texts["bill"], class_="unseen"),
        tag("thead", head),
        tag("tbody", *(_row(row, texts) for row in made.rows)),
        tag("tfoot", foot),
    )
    judged = [
        tag("p", texts["bill_judged"].format(who=row.who, cost=dollars(row.cost)), class_="quiet")
        for row in made.judged
    ]
    scroll = tag("div", table, class_="scroller", tabindex=0, role="region", aria_label=texts["bill"])
    return tag("div", scroll, *judged, _note(made.rows, texts), class_="bill")


def _row(row: Row, texts: Texts) -> Markup:
    who = tag(
        "th",
        tag("i", class_="glyph", data_lane=row.kind, aria_hidden="true"),
        tag("bdi", row.who),
        tag("small", texts[f"kind_{row.kind}"]),
        scope="row",
        class_="who",
    )
    used = row.usage
    asked = used.input_tokens or used.output_tokens
    tokens = [f"{used.input_tokens:,}", f"{used.output_tokens:,}"] if asked else ["–", "–"]
    ran = tag("small", seconds(used.units)) if row.kind == "python" else None
    amount = ("≈ " if row.estimated else "") + dollars(row.cost, 6)
    return tag(
        "tr",
        who,
        tag("td", f"{row.uses}×", ran, class_="uses"),
        tag("td", tokens[0], class_="tokens_in", data_label=texts["bill_tokens_in"]),
        tag("td", tokens[1], class_="tokens_out", data_label=texts["bill_tokens_out"]),
        tag("td", tag("span", rates(row.price, texts)), tag("small", _source(row.price)), class_="price"),
        tag("td", amount, class_="amount"),
    )


def rates(price: Price | None, texts: Texts) -> str:
    """Return a price in one short line."""
    if price is None:
        return texts["price_unknown"]
    said = []
    if price.input or price.output:
        said.append(texts["price_tokens"].format(input=f"${price.input:g}", output=f"${price.output:g}"))
    if price.unit:
        said.append(texts["price_unit"].format(unit=f"${price.unit:.10f}".rstrip("0").rstrip(".")))
    return " · ".join(said) or texts["price_free"]


def _source(price: Price) -> str:
    return ", ".join(part for part in (price.source, price.date) if part)


def _note(rows: tuple[Row, ...], texts: Texts) -> Markup | None:
    said = []
    if all(row.simulated == row.uses for row in rows):
        said.append(texts["bill_simulated"])
    if any(row.estimated for row in rows):
        said.append(texts["bill_estimated"])
    if any(row.reported for row in rows):
        said.append(texts["bill_reported"])
    return tag("p", " ".join(said), class_="quiet") if said else None
