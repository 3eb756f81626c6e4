"""What a client sent behind the command under way without waiting, for commands that are done several at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from mektup.terms.errors import ClientError
from mektup.terms.sets import Uids
from mektup.wire.requests import Fetch, Store

if TYPE_CHECKING:
    from mektup.imap.session import ImapSession

R = TypeVar("R", Fetch, Store)


def pipelined(session: ImapSession, kind: type[R], most: int) -> Iterator[tuple[R, Uids]]:
    """The next requests, *most* of them at most, with the messages that each names; up to one of another *kind*.

    Also up to one that names a message which is not there, as that is to fail by itself. They are still to come, until
    the session takes them.
    """
    for coming in islice(session.ahead(), most):
        if not isinstance(coming, kind):
            return
        try:
            uids = session.selected.resolve(coming.numbers, by_uid=coming.by_uid)
        except ClientError:
            return
        yield coming, uids
