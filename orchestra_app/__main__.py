"""Runs the command line: `python -m orchestra_app` is `orchestra`."""

from orchestra_app.cli import ask, catalog, doctor, export, frontier, judge, serve, traces
from orchestra_app.cli.app import main

COMMANDS = (ask, catalog, doctor, export, frontier, judge, serve, traces)

if __name__ == "__main__":
    main()
