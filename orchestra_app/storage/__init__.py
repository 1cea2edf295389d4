"""Where traces, labels, catalogues and day accounts are kept: SQLite by default, PostgreSQL by URL."""
