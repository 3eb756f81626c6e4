"""Names of a server's mailboxes to ours: their namespace, the character between levels, modified UTF-7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mektup.migration.names import usable
from mektup.terms.errors import ClientError
from mektup.terms.limits import Limits
from mektup.terms.names import DELIMITER, INBOX
from mektup.wire import mailbox_names


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a user's own mailboxes are (RFC 2342)."""

    prefix: str
    """Decoded, with the delimiter at its end; empty for the top."""
    delimiter: str
    """Empty for a server without levels."""


TOP: Final = Namespace("", DELIMITER)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """All namespaces of a server."""

    own: Sequence[Namespace] = (TOP,)
    of_others: Sequence[Namespace] = ()
    """Of other users, and shared ones."""


def is_within(name: str, namespace: Namespace) -> bool:
    """Whether *name* is below the prefix of *namespace*, or is that prefix itself."""
    prefix = namespace.prefix
    return bool(prefix) and (name + namespace.delimiter).startswith(prefix)


def local_names(names: Iterable[tuple[bytes, str]], namespaces: Namespaces, limits: Limits) -> Mapping[bytes, str]:
    """Our name for each of the user's own *names*, which come with their delimiters; in the same order.

    Left out are names of other namespaces, and the prefix of one itself. Two names never become one: the second
    gets a number. A name that is no text stays as the octets show it.
    """
    found: dict[bytes, str] = {}
    taken: set[str] = set()
    known = sorted(namespaces.own, key=lambda each: len(each.prefix), reverse=True) or [TOP]
    for raw, delimiter in names:
        text = _decoded(raw)
        if any(is_within(text, each) for each in namespaces.of_others):
            continue
        if (name := _local(text, delimiter, known, limits)) is not None:
            found[raw] = _unused(name, taken)
            taken.add(found[raw])
    return found


def _decoded(raw: bytes) -> str:
    try:
        return mailbox_names.decode(raw, utf8=False)
    except ClientError:
        return raw.decode("utf-8", "backslashreplace")


def _local(name: str, delimiter: str, namespaces: Iterable[Namespace], limits: Limits) -> str | None:
    if name.upper() == INBOX:
        return INBOX
    for namespace in namespaces:
        if (rest := _below(name, namespace)) is not None:
            levels = rest.split(delimiter) if delimiter else [rest]
            found = usable(levels, limits)
            # a mailbox below INBOX that is called INBOX, too, is another one
            return usable([INBOX, *levels], limits) if found == INBOX else found
    return None


def _below(name: str, namespace: Namespace) -> str | None:
    """The part of a name that follows the prefix; None where it does not begin with it, or is all of it."""
    prefix = namespace.prefix
    start = name[: len(prefix)]
    if start != prefix and not (prefix[:5].upper() == INBOX and start.upper() == prefix.upper()):
        return None
    return name[len(prefix) :] or None


def _unused(name: str, taken: set[str]) -> str:
    number = 1
    unused = name
    while unused in taken:
        number += 1
        unused = f"{name} ({number})"
    return unused
