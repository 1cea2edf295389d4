"""The steps that build the tables, applied whenever a store is opened."""

HEAD = "0005"
"""The newest revision; a store that has it opens without loading Alembic."""

VERSION_TABLE = "orchestra_version"
"""Names the revision of a database; a database without it that has other tables is not ours."""
