"""The mailboxes of the past, as a client names them: the deleted messages, and what there was at a moment.

``Undelete`` has all deleted messages, ``Undelete/Work`` those of *Work*, and ``Undelete/2026-11-30T12:00/Work`` is
*Work* as it was then. Nobody should download all of that unasked. So LIST shows them only to who asks for names that
begin with ``Undelete``, or has subscribed them (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mektup.imap.patterns import Pattern
from mektup.store.interface import Account, Mailbox
from mektup.store.retention import DELETED_MAIL
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.terms.errors import Refused
from mektup.terms.moment_names import date_of
from mektup.terms.names import DELIMITER, PAST, is_past
from mektup.terms.rights import Rights

RIGHTS: Final[Rights] = frozenset("lr")
"""What the user may do with a mailbox of the past."""

PREFIX: Final = PAST + DELIMITER

MOST_MOMENTS: Final = 3
"""How many moments one LIST may name."""


async def located(account: Account, name: str) -> tuple[Account, str]:
    """The account of the past that the mailbox *name* is in, and its name there.

    Raises Refused(NONEXISTENT; CANNOT for a moment that cannot be read).
    """
    inside = name.removeprefix(PAST).removeprefix(DELIMITER)
    first, _, rest = inside.partition(DELIMITER)
    moment = date_of(first)
    if moment is None:
        return await account.deleted_mail(), inside or DELETED_MAIL
    if not rest:
        raise no_such_mailbox()
    return await account.at(moment), rest


def is_asked_for(pattern: Pattern, subscribed: frozenset[str]) -> bool:
    """Whether a LIST with *pattern* shows mailboxes of the past."""
    return any(map(_begins, pattern.starts)) or any(map(is_past, subscribed))


def _begins(start: str) -> bool:
    return start.startswith(PAST)


async def listed(account: Account, pattern: Pattern, subscribed: frozenset[str]) -> Sequence[Mailbox]:
    """The mailboxes of the past that LIST shows, with names for ``located``. Some may not match *pattern*."""
    wanted = frozenset(filter(is_past, subscribed))
    asked = any(map(_begins, pattern.starts))
    found: list[Mailbox] = []
    for each in await (await account.deleted_mail()).mailboxes():
        name = PAST if each.name == DELETED_MAIL else PREFIX + each.name
        if asked or name in wanted:
            found.append(replace(each, name=name, special_use=None))
    for first in _moments(pattern.starts, wanted):
        found += await _at(account, first)
    return found


def _moments(starts: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """The moments that patterns or subscribed names have, as they are written there."""
    firsts = (each.removeprefix(PREFIX).partition(DELIMITER) for each in (*starts, *wanted) if each.startswith(PREFIX))
    named = dict.fromkeys(first for first, delimiter, _ in firsts if delimiter and date_of(first) is not None)
    return list(named)[:MOST_MOMENTS]


async def _at(account: Account, first: str) -> list[Mailbox]:
    moment = date_of(first)
    assert moment is not None
    try:
        past = await account.at(moment)
    except Refused:
        return []  # it is too long ago by now, so these mailboxes do not exist
    return [
        replace(each, name=f"{PREFIX}{first}{DELIMITER}{each.name}", special_use=None)
        for each in await past.mailboxes()
    ]
