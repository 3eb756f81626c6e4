"""STORE that replaces flags, for a client that may change only some of them (RFC 4314 §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mektup.imap.sync.view import View
from mektup.store.interface import FlagsStored
from mektup.terms.flags import SYSTEM_FLAG_NAMES, FlagChange
from mektup.terms.numbers import ModSeq
from mektup.terms.rights import permitted
from mektup.terms.sets import Uids


async def replace_permitted(view: View, uids: Uids, flags: Sequence[str], since: ModSeq | None) -> FlagsStored:
    """Gives the messages those *flags* that the client may change, and takes all others away that it may change.

    Keywords that the client was not told of stay. *since* is the modseq of UNCHANGEDSINCE.
    """
    given = {flag.lower() for flag in flags}
    every = permitted((*SYSTEM_FLAG_NAMES.values(), *view.keywords), view.rights)
    others = frozenset(flag for flag in every if flag.lower() not in given)
    added = await view.account.store_flags(view.mailbox, uids, FlagChange.ADD, frozenset(flags), unchanged_since=since)
    rest = uids - added.failed
    removed = await view.account.store_flags(view.mailbox, rest, FlagChange.REMOVE, others)
    # if another session made a change in between, the view cannot simply follow
    previous = added.previous if removed.previous == added.modseq else removed.previous
    return replace(
        removed,
        changed=added.changed | removed.changed,
        previous=previous,
        failed=added.failed,
        keywords=added.keywords + removed.keywords,
    )
