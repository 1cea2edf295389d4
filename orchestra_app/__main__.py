"""Runs the command line: `python -m orchestra_app` is `orchestra`."""

from orchestra_app.cli import ask, catalog, doctor, serve, traces
from orchestra_app.cli.app import main

COMMANDS = (ask, catalog, doctor, serve, traces)

if __name__ == "__main__":
    main()
