"""THREAD and UID THREAD (RFC 5256)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from mektup.imap import message_limit
from mektup.imap.filters import with_criteria
from mektup.imap.search_scope import check_charset, scoped
from mektup.imap.sync import modseqs
from mektup.terms.search import ChangedSince
from mektup.wire.requests import Thread

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

SLICE_MESSAGES = 2000
"""Answers are written in slices of so many messages, so that other sessions can run in between."""


async def run(session: Conversation, request: Thread) -> None:
    """Tells which messages match, as threads. Raises ClientError for sequence numbers beyond the mailbox."""
    view = session.selected
    request = await with_criteria(session, request)
    check_charset(session.client, None if request.charset == "UTF-8" else request.charset)
    scope = scoped(request.key, view, session.client.comparator)
    # RFC 9738 §3.3
    message_limit.require_few(session, len(message_limit.searched(session, scope.key)))
    comparator = session.client.comparator
    threads = await session.seek(view.account.thread(view.mailbox, scope.key, view.uids, request.algorithm, comparator))
    if scope.mentions(ChangedSince):
        # RFC 7162 §3.1.9: the response has no modseq, but the client knows modseqs now
        modseqs.use(session)
    numbers: Sequence[int] = threads.uids if request.by_uid else view.seqs_in_order(threads.uids)
    session.peer.in_response = True
    session.write(b"* THREAD " if numbers else b"* THREAD")
    lists = thread_lists(numbers, threads.replies)
    while some := list(islice(lists, SLICE_MESSAGES)):
        session.write(b"".join(some))
        await session.peer.drain()
    session.write(b"\r\n")
    session.peer.in_response = False


def thread_lists(numbers: Sequence[int], replies: Sequence[int]) -> Iterator[bytes]:
    """The thread-lists of RFC 5256 §5, one message at a time; 0 stands for a message that is missing.

    A parenthesis opens before each thread, and before each of several replies to one message. A stack counts the
    members that each such group still has, so threads can have any depth.
    """
    branches: list[int] = []
    begins = True
    for number, below in zip(numbers, replies, strict=True):
        if below == 0:
            if not branches:
                yield b"(%d)" % number if begins else b"%d)" % number
            else:
                yield (b"(%d)" if begins else b"%d)") % number + _closings(branches)
            begins = True
        elif below == 1:
            yield b"(%d " % number if begins else b"%d " % number
            begins = False
        else:
            branches.append(below)
            member = b"%d " % number if number else b""
            yield b"(" + member if begins else member
            begins = True


def _closings(branches: list[int]) -> bytes:
    """The parentheses that close after a message without replies. Counts the message off *branches*."""
    closed = 0
    while branches:
        branches[-1] -= 1
        if branches[-1]:
            break
        branches.pop()
        closed += 1
    return b")" * closed
