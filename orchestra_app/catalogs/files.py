"""Reads a catalogue from a file; errors say the line, the key and what was expected."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestra_app.catalogs.lines import line_of
from orchestra_app.catalogs.rules import Location, broken_rules, reason, where
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError

MOST_BYTES = 262_144
"""Size of the largest file that is read as a catalogue; real ones have about 15,000 bytes."""
MOST_PROBLEMS = 5
"""Problems that one error message lists."""
FOLDER = Path(__file__).parent


def bundled() -> list[str]:
    """Return the names of the catalogues that come with the program, the rehearsal first."""
    return sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda name: (name != "rehearsal", name))


def load_catalog(name_or_path: str | Path) -> Catalog:
    """Return a bundled catalogue by its name, or the one in a TOML file; raises ConfigError."""
    path = _located(name_or_path)
    return parse_catalog(read_text(path, MOST_BYTES, "a catalogue"), str(path))


def parse_catalog(text: str, file: str = "the catalogue") -> Catalog:
    """Return the catalogue that `text` describes; raises ConfigError that calls the text `file`."""
    catalog, problems = _examine(text, file)
    if catalog is None:
        more = len(problems) - MOST_PROBLEMS
        also = [f"... and {more} more."] if more > 0 else []
        raise ConfigError("\n".join([*problems[:MOST_PROBLEMS], *also]))
    return catalog


def check(name_or_path: str | Path) -> list[str]:
    """Return everything that keeps a file from being a catalogue, a sentence each; empty if it is one."""
    try:
        path = _located(name_or_path)
        text = read_text(path, MOST_BYTES, "a catalogue")
    except ConfigError as error:
        return [str(error)]
    return _examine(text, str(path))[1]


def _located(name_or_path: str | Path) -> Path:
    if str(name_or_path) in bundled():
        return FOLDER / f"{name_or_path}.toml"
    path = Path(name_or_path)
    try:
        missing = not path.exists()
    except (OSError, ValueError):
        missing = True
    if missing:
        raise ConfigError(
            f"There is no catalogue {str(name_or_path)[:200]!r}: "
            f"name one of {', '.join(bundled())}, or give the path of a TOML file."
        )
    return path


def read_text(path: Path, most: int, what: str) -> str:
    """Return the text of a file of at most `most` bytes; raises ConfigError, which calls the file `what`."""
    if not path.is_file():
        raise ConfigError(f"{path} is not a file; give the path of {what}.")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    if len(content) > most:
        raise ConfigError(f"{path} has more than {most:,} bytes; that is too much for {what}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}, line {line}: this is no UTF-8 text; give the path of {what}.") from None


def _examine(text: str, file: str) -> tuple[Catalog | None, list[str]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [f"{file}, {_syntax(text, str(error))}"]
    except (ValueError, RecursionError):
        return None, [f"{file} has a number that is too long or brackets nested too deeply."]
    if not document:
        return None, [f"{file} is empty; a catalogue has at least name, title, [models] and [tools]."]
    if "extends" in document:
        problem, document = _extended(document)
        if problem:
            return None, [f"{file}, line {line_of(text, ['extends'])}: {problem}"]
    catalog = None
    try:
        catalog = Catalog.model_validate(document)
        found = broken_rules(catalog)
    except ValidationError as error:
        found = [(where(each, document), reason(each)) for each in error.errors(include_url=False)]
    placed = sorted((line_of(text, location), location, sentence) for location, sentence in found)
    return None if placed else catalog, [_sentence(file, *each) for each in placed]


def _extended(document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what is wrong with a catalogue's `extends`, and the catalogue laid over the one it names."""
    base = document.pop("extends")
    if base not in bundled():
        return f"`extends` names {str(base)[:80]!r}; it can be one of {', '.join(bundled())}.", document
    found = tomllib.loads((FOLDER / f"{base}.toml").read_text(encoding="utf-8"))
    if "extends" in found:
        return f"`extends` names {base}, which extends another itself; name that one.", document
    return "", _laid_over(found, document)


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in above.items():
        old = below.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            value = _laid_over(old, value)
        below[key] = value
    return below


def _syntax(text: str, message: str) -> str:
    """Return tomllib's message with the place in front that it ends in, such as `(at line 3, column 5)`."""
    what, _, place = message.rpartition(" (at ")
    place = place.rstrip(")")
    if not place.startswith("line"):
        place = f"line {text.rstrip().count(chr(10)) + 1}"
    return f"{place}: this is not TOML: {what[:1].lower()}{what[1:]}."


def _sentence(file: str, line: int, location: Location, sentence: str) -> str:
    key = f"`{'.'.join(location)}` " if sentence[:1].islower() else ""
    return f"{file}, line {line}: {key}{sentence}"
