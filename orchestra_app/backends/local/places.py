"""Where local models lie: a folder, the project's assets, or the Hugging Face Hub; and what they need."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import ConfigError

ASSETS = Path(__file__).parents[3] / "assets"
BUNDLED = "assets:"
"""Begins the place of a model that comes with the program."""
SHIPPED = f"{BUNDLED}policy"
"""The small policy of the rehearsal."""
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
        folder = Path(place).expanduser().absolute()
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


def is_repository(name: str) -> bool:
    """Return whether a text can be the name of a repository of the Hub, as user/name."""
    # Loaded only where it is used; it reads HF_ENDPOINT and HF_HUB_OFFLINE when it is.
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name and name.isascii()


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


def context_of(place: str) -> int | None:
    """Return the tokens of prompt and reply that the model in a folder was made for; None: not told."""
    try:
        told = json.loads((Path(place) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    parts = [each for each in (told, told.get("text_config")) if isinstance(each, dict)]
    found = (each.get("max_position_embeddings") for each in parts)
    return next((each for each in found if isinstance(each, int) and each > 0), None)


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
