"""``mektup config``: shows every key of the configuration, with its value in effect and where that comes from."""

from __future__ import annotations

import json as json_form
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mektup.cli import texts, toml_text
from mektup.cli.complaints import WRONG_USAGE, complain, complaints
from mektup.cli.language import Command, told
from mektup.cli.options import DEFAULT_DATA, ConfigFile, DataDirectory, refuse_both
from mektup.server.config_keys import Key, keys


def register(app: typer.Typer) -> None:
    """Adds the command to *app*."""
    app.command("config", help=str(texts.SHOW_CONFIG), cls=Command)(config)


def config(
    only: Annotated[str | None, typer.Argument(metavar="[KEY]", help=str(texts.CONFIG_KEY))] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help=str(texts.CONFIG_DEFAULTS))] = False,
    json: Annotated[bool, typer.Option("--json", help=str(texts.CONFIG_JSON))] = False,
    data: DataDirectory = None,
    config_file: ConfigFile = None,
) -> None:
    """Runs the command."""
    refuse_both(data, config_file)
    if defaults and (data or config_file):
        raise complain(texts.DEFAULTS_OR_FILE, WRONG_USAGE)
    with complaints():
        found = keys(config_file, None if defaults or config_file else (data or DEFAULT_DATA).absolute())
    if only is not None:
        found = [key for key in found if only in (key.full, key.table)]
        if not found:
            raise complain(texts.NO_KEY.of(key=only), WRONG_USAGE)
    if json:
        typer.echo(json_form.dumps({key.full: _as_json(key, defaults=defaults) for key in found}, ensure_ascii=False))
        return
    for line in _lines(found, config_file, defaults=defaults):
        typer.echo(line)


def _as_json(key: Key, *, defaults: bool) -> object:
    if defaults:
        return key.default
    return {"value": key.value, "default": key.default, "set": key.is_set}


def _lines(found: list[Key], file: Path | None, *, defaults: bool) -> Iterator[str]:
    """A file of TOML with these keys, which the server reads as it reads *file*."""
    table, mark = "", ""
    for key in found:
        if key.table != table:
            table = key.table
            mark = "" if _is_there(table, found, defaults=defaults) else "# "
            yield ""
            yield f"{mark}[{table}]"
        line = _line(key, file, defaults=defaults)
        yield line if line.startswith("#") else mark + line


def _is_there(table: str, found: list[Key], *, defaults: bool) -> bool:
    """Whether the server may read *table*: not if it needs keys that are not set."""
    within = [key for key in found if key.table == table]
    return not any(key.required and (defaults or not key.is_set) for key in within)


def _line(key: Key, file: Path | None, *, defaults: bool) -> str:
    value = key.default if defaults else key.value
    name = toml_text.key(key.name)
    if value is None:
        return f"# {name} =  # {told(texts.IS_REQUIRED if key.required else texts.IS_NONE)}"
    if defaults:
        return f"{name} = {toml_text.value(value)}"
    source = str(file) if key.is_set and file is not None else told(texts.IS_GIVEN if key.is_set else texts.IS_DEFAULT)
    return f"{name} = {toml_text.value(value)}  # {source}"
