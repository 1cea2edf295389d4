"""`orchestra serve`: the page."""

import os
from typing import Annotated

import typer

from orchestra_app.cli.app import app


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port; the first free one from 7860 if left out.")] = None,
) -> None:
    """Open the page."""
    from orchestra_app.ui.app import main

    os.environ.setdefault("GRADIO_SERVER_NAME", host)
    if port is not None:
        os.environ["GRADIO_SERVER_PORT"] = str(port)
    main()
