"""Runs the command line: `python -m orchestra_app` is `orchestra`."""

from orchestra_app.cli import ask, catalog, doctor, serve, traces
from orchestra_app.cli.app import app

COMMANDS = (ask, catalog, doctor, serve, traces)


def main() -> None:
    """Run one command."""
    app()


if __name__ == "__main__":
    main()
