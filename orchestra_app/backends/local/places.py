"""Where local models lie: a folder, the project's assets, or the Hugging Face Hub; and what they need."""

import re
from importlib.util import find_spec
from pathlib import Path

from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import ConfigError

ASSETS = Path(__file__).parents[3] / "assets"
BUNDLED = "assets:"
"""Begins the place of a model that comes with the program."""
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
NEEDS = ("torch", "transformers")


def located(place: str) -> Path | str:
    """Return the folder of a model, or its Hugging Face id; raises ConfigError where it can be neither."""
    if place.startswith(BUNDLED):
        folder = (ASSETS / place.removeprefix(BUNDLED)).resolve()
        if not folder.is_relative_to(ASSETS):
            raise ConfigError(f"{place[:200]} does not lie in the assets folder; name a folder there.")
        if not folder.is_dir():
            raise ConfigError(f"The folder {folder} is missing: install the program anew, assets included.")
        return folder
    try:
        folder = Path(place).expanduser()
        if place and folder.is_dir():
            return folder
    except (OSError, ValueError, RuntimeError):
        folder = Path()
    if not HUB_ID.fullmatch(place) or place.startswith((".", "~")):
        raise ConfigError(
            f"There is no folder {place[:200]!r}: give the folder of a model, or a Hugging Face id such as "
            "Qwen/Qwen3-8B."
        )
    return place


def missing_packages(quantize: str | None = None) -> None:
    """Raise ConfigError where a package is missing that local models need."""
    for name in (*NEEDS, *(["bitsandbytes"] if quantize else [])):
        if find_spec(name) is None:
            raise ConfigError(f"Models in this process need {name}: pip install {name}.")


def here(place: str) -> str | None:
    """Return why a model could not be loaded at once, as a sentence; None where its files are here."""
    try:
        missing_packages()
        found = located(place)
    except ConfigError as error:
        return str(error)
    if isinstance(found, Path):
        return None if (found / "config.json").is_file() else f"{found} holds no model (no config.json)."
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(found, "config.json"), str):
        return None
    return f"{found} is not on this computer yet: fetch it with `hf download {found}`."


def tokenizer_file(model: Model) -> str | None:
    """Return the path of a model's `tokenizer.json`: what the catalogue names, or the local model's own."""
    if model.tokenizer is not None or model.backend != "local":
        return model.tokenizer
    try:
        found = located(model.id)
    except ConfigError:
        return None
    path = found / "tokenizer.json" if isinstance(found, Path) else None
    return str(path) if path and path.is_file() else None
