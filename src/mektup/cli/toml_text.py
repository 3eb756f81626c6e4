"""Writes values as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(text: str) -> str:
    """A key, in quotes where it needs them."""
    return text if _BARE.fullmatch(text) else value(text)


def value(of: object) -> str:
    """A text, number, boolean, list or table in one line. Raises TypeError for anything else."""
    match of:
        case bool():
            return "true" if of else "false"
        case str():
            # the escapes of JSON are TOML's, too; DEL is the only character that only TOML wants escaped
            return json.dumps(of, ensure_ascii=False).replace("\x7f", "\\u007F")
        case int() | float():
            return repr(of)
        case list() | tuple():
            return f"[{', '.join(map(value, of))}]"
        case Mapping():
            inner = ", ".join(f"{key(name)} = {value(each)}" for name, each in of.items())
            return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"no TOML for {type(of).__name__}")
