"""SORT and THREAD of the same messages by our store in memory and by the witness."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from mektup.imap.commands.thread import thread_lists
from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming, Store
from mektup.store.sqlite import open_store
from mektup.terms.numbers import MailboxId
from mektup.terms.search import All
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, ThreadAlgorithm
from tests.peer.imap_client import ImapClient

ARRIVED = 1_700_000_000
"""The internal date of the first message; each next message is a second later."""


class Ours:
    """The messages in our store."""

    def __init__(self, store: Store, account: Account, mailbox: MailboxId) -> None:
        self._store = store
        self._account = account
        self._mailbox = mailbox

    @classmethod
    async def of(cls, messages: Sequence[bytes]) -> Ours:
        store = await open_store(None)
        account = await store.account(await store.directory.add("linda", {}))
        mailbox = (await account.mailbox("INBOX")).id
        incoming = [Incoming(prepare(raw), frozenset(), ARRIVED + at) for at, raw in enumerate(messages)]
        await account.append(mailbox, incoming)
        return cls(store, account, mailbox)

    async def sort(self, criteria: Sequence[SortCriterion], uids: Uids) -> list[int]:
        return list((await self._account.sort(self._mailbox, All(), uids, criteria)).uids)

    async def thread(self, algorithm: ThreadAlgorithm, uids: Uids) -> str:
        threads = await self._account.thread(self._mailbox, All(), uids, algorithm)
        return b"".join(thread_lists(threads.uids, threads.replies)).decode()

    async def close(self) -> None:
        await self._store.close()


class Theirs:
    """The same messages in a mailbox of the witness, selected."""

    def __init__(self, witness: ImapClient, mailbox: str, messages: Sequence[bytes]) -> None:
        self._witness = witness
        witness.command(f"CREATE {mailbox}".encode())
        for at, raw in enumerate(messages):
            witness.append(mailbox, raw, time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(ARRIVED + at)))
        witness.command(f"SELECT {mailbox}".encode())

    def sort(self, criteria: Sequence[SortCriterion], uids: Uids) -> list[int]:
        words = " ".join(f"REVERSE {each.key.value}" if each.reverse else each.key.value for each in criteria)
        (answer,) = self._witness.command(b"UID SORT (%b) UTF-8 UID %b" % (words.encode(), bytes(uids)))
        return [int(uid) for uid in answer.split()[1:]]

    def thread(self, algorithm: ThreadAlgorithm, uids: Uids) -> str:
        (answer,) = self._witness.command(b"UID THREAD %b UTF-8 UID %b" % (algorithm.value.encode(), bytes(uids)))
        return answer.decode().removeprefix("THREAD").strip()


def threads_of(answer: str) -> list[str]:
    """The threads of an answer to THREAD, in their order."""
    threads, depth, start = [], 0, 0
    for at, letter in enumerate(answer):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            threads.append(answer[start : at + 1])
            start = at + 1
    return threads


def made_up(seed: int) -> list[bytes]:
    """Messages that refer to each other in every possible way, and share subjects, dates and sometimes Message-IDs."""
    chance = random.Random(seed)
    ids = [f"id{number}@example.org" for number in range(chance.choice((5, 12, 60)))]
    subjects = chance.choice((2, 8, 100))
    may_repeat = chance.random() < 0.5
    used: set[str] = set()
    messages = []
    for _ in range(chance.choice((4, 10, 40))):
        lines = [
            f"Date: {chance.randrange(1, 28)} Jan 2024 {chance.randrange(24):02}:00:00 {chance.choice('+-')}0100",
            f"From: {chance.choice('abcdef')}{chance.choice(('', '_z', 'Z'))}@example.org",
            f"Subject: {chance.choice(('', '', 'Re: ', 'Fwd: ', '[list] '))}{chance.choice(('s', 'S', 'ş'))}"
            f"{chance.randrange(subjects)}",
        ]
        if chance.random() < 0.2:
            del lines[chance.randrange(3)]
        own = chance.choice(ids)
        if chance.random() < 0.9 and (may_repeat or own not in used):
            used.add(own)
            lines.append(f"Message-ID: <{own}>")
        references = " ".join(f"<{each}>" for each in chance.choices(ids, k=chance.choice((0, 0, 1, 1, 2, 3, 5))))
        if references:
            lines.append(f"{chance.choice(('References', 'References', 'In-Reply-To'))}: {references}")
        messages.append("\r\n".join([*lines, "", "x", ""]).encode())
    return messages
