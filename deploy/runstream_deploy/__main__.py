"""``python -m runstream_deploy up | down | status``: the commands of the stack without those of the client."""

from __future__ import annotations

import typer

from runstream_deploy.cli import register

if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    app()
