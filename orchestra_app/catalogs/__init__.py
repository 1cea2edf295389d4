"""The catalogues: TOML files that a person edits, read with errors that name the line and the key."""

from orchestra_app.catalogs.files import bundled, check, load_catalog, parse_catalog
from orchestra_app.catalogs.imports import import_tools

__all__ = ["bundled", "check", "import_tools", "load_catalog", "parse_catalog"]
