"""`orchestra serve`: the page."""

import os
from typing import Annotated

import typer

from orchestra_app.cli.app import app, guarded


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 unless GRADIO_SERVER_NAME says other.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; the first free one from 7860 if left out.")
    ] = None,
) -> None:
    """Open the page."""
    # Gradio reads these; what is typed goes before what is set.
    if host is not None:
        os.environ["GRADIO_SERVER_NAME"] = host
    if port is not None:
        os.environ["GRADIO_SERVER_PORT"] = str(port)
    raise typer.Exit(guarded(_open))


def _open() -> None:
    # Loaded only here, since the page takes seconds to load.
    from orchestra_app.ui.start import main

    main()
