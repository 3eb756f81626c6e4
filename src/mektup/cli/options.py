"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA = Path("mektup-data")

DataDirectory = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The data directory; ./mektup-data if nothing is said.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The server's TOML file.")]


def refuse_both(data: Path | None, config_file: Path | None) -> None:
    """Raises BadParameter where both options are given: the file names a directory, too."""
    if data is not None and config_file is not None:
        raise typer.BadParameter("give either --data or --config", param_hint="--data")
