"""The bundled corpus: one short document about each invented place."""

from functools import cache

from orchestra_app.core.message import Document
from orchestra_app.rehearsal.draws import SPLITS, luck
from orchestra_app.rehearsal.places import Place, places

_LAYOUTS = (
    "The {title} is in the town of {town}. It was founded by {founder} and opened in {opened}. "
    "It has a staff of {staff} and counts {visitors} visitors in a usual week. "
    "Travellers often go on to the {neighbour}.",
    "Founded by {founder}, the {title} opened in {opened}. Visitors come to the town of {town} for it: "
    "{visitors} visitors in a usual week, looked after by a staff of {staff}. "
    "A guide describes it together with the {neighbour}.",
    "The town of {town} is known for the {title}, which opened in {opened} and was founded by {founder}. "
    "Its staff of {staff} receives {visitors} visitors in a usual week. "
    "Its archive also keeps a drawing of the {neighbour}.",
)


@cache
def corpus() -> tuple[Document, ...]:
    """Return the documents on all places of all splits; titles are unique."""
    return tuple(_document(place) for split in SPLITS for place in places(split))


@cache
def texts() -> dict[str, str]:
    """Return the text of every document by its title."""
    return {document.title: document.text for document in corpus()}


def _document(place: Place) -> Document:
    layout = _LAYOUTS[int(luck("layout", place.title) * len(_LAYOUTS))]
    text = layout.format(
        title=place.title,
        town=place.town,
        founder=place.founder,
        opened=place.opened,
        staff=place.staff,
        visitors=place.visitors,
        neighbour=place.neighbour,
    )
    url = f"rehearsal/{place.title.lower().replace(' ', '-')}.txt"
    return Document(text=text, title=place.title, url=url)
