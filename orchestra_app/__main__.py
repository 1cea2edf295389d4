"""Runs the command line: `python -m orchestra_app` is `orchestra`."""

import sys

try:
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
except KeyboardInterrupt:
    # Loading takes a second, in which a Ctrl-C is no more than an ordinary end.
    sys.exit(130)

COMMANDS = (ask, catalog, doctor, export, fork, frontier, judge, serve, serve_policy, traces, train)

if __name__ == "__main__":
    main()
