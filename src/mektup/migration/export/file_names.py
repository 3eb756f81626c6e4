"""The names of mailboxes as names of files and folders.

A level is in UTF-8, or in modified UTF-7 if it has a "&", which would be mistaken for the beginning of that. What a
name of a file cannot have is written as a backslash and two hexadecimal digits, as Dovecot's plugin listescape does.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from mektup.wire.mailbox_names import to_modified_utf7

LONGEST: Final = 200
"""Octets of a name; file systems have room for 255."""

_ESCAPE: Final = re.compile(r"\\(?=[0-9a-f]{2})")


def level_name(level: str, *, dots: bool = True, utf7: bool = False) -> str:
    """The name of a file for a *level* of a name; without *dots*, it has none.

    It is not empty, does not begin with a dot, and has no slash. A long one is cut, and gets a mark that makes it
    unlike all others.
    """
    name = _ESCAPE.sub(lambda found: "\\5c", level)
    if utf7 or "&" in level:
        name = to_modified_utf7(name).decode("ascii")
    name = name.replace(".", "\\2e") if not dots else "\\2e" + name[1:] if name.startswith(".") else name
    octets = name.encode()
    if len(octets) <= LONGEST:
        return name
    mark = blake2b(octets, digest_size=4).hexdigest()
    return f"{octets[: LONGEST - 9].decode(errors='ignore')}~{mark}"


def is_cut(level: str) -> bool:
    """Whether ``level_name`` may not keep the whole *level*."""
    return len(to_modified_utf7(level)) > LONGEST or len(level.encode()) > LONGEST
