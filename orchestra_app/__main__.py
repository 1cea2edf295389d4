"""Runs the command line: `python -m orchestra_app` is `orchestra`."""

from orchestra_app.cli import (
    ask,
    catalog,
    doctor,
    export,
    fork,
    frontier,
    judge,
    serve,
    serve_policy,
    traces,
    train,
)
from orchestra_app.cli.app import main

COMMANDS = (ask, catalog, doctor, export, fork, frontier, judge, serve, serve_policy, traces, train)

if __name__ == "__main__":
    main()
