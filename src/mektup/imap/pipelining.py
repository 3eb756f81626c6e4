"""Pipelined commands: those that the client sent before the current command was answered. For commands done in
batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from mektup.terms.errors import ClientError
from mektup.terms.sets import Uids
from mektup.wire.requests import Fetch, Store

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

R = TypeVar("R", Fetch, Store)


def pipelined(session: Conversation, kind: type[R], most: int) -> Iterator[tuple[R, Uids]]:
    """The next *most* requests, as long as they are of *kind*, each with the messages that it names.

    Stops also at a request for a message that does not exist, because it must fail by itself. The requests stay queued
    until the session takes them.
    """
    for coming in islice(session.ahead(), most):
        if not isinstance(coming, kind):
            return
        try:
            uids = session.selected.resolve(coming.numbers, by_uid=coming.by_uid)
        except ClientError:
            return
        yield coming, uids
