"""The invented places of each split: what the corpus tells and the lookup questions ask."""

from dataclasses import dataclass
from functools import cache

from orchestra_app.rehearsal.draws import Draw, Split, invented

_COUNTS: dict[Split, int] = {"train": 360, "heldout": 240, "reworded": 120}
_TYPES = (
    "Bridge",
    "Observatory",
    "Museum",
    "Library",
    "Railway",
    "Institute",
    "Lighthouse",
    "Theatre",
    "Garden",
    "Harbour",
)


@dataclass(frozen=True, slots=True)
class Place:
    """An invented place with the facts that its document states."""

    title: str
    """Its name without an article, such as `Bakor Bridge`."""
    town: str
    founder: str
    opened: int
    """The year."""
    staff: int
    visitors: int
    """In a usual week."""
    neighbour: str
    """The title of another place that its document mentions in passing."""


@cache
def places(split: Split) -> tuple[Place, ...]:
    """Return the places of one split; several share a name, a town or a founder, as distractors."""
    draw = Draw(split, "places")
    count = _COUNTS[split]
    titles: list[str] = []
    while len(titles) < count:
        name = draw.word()
        titles += [f"{name} {kind}" for kind in draw.random.sample(_TYPES, draw.pick((1, 2, 2, 3)))]
    titles = titles[:count]
    towns = [draw.word(3) for _ in range(count // 4)]
    founders = [f"{invented(draw.random, 1)} {draw.word()}" for _ in range(count // 2)]
    return tuple(
        Place(
            title=title,
            town=draw.pick(towns),
            founder=draw.pick(founders),
            opened=draw.random.randint(1790, 2015),
            staff=draw.random.randint(12, 900),
            visitors=draw.random.randint(150, 9_500),
            neighbour=titles[index - 1],
        )
        for index, title in enumerate(titles)
    )
