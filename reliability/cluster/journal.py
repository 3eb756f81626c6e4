"""What writers asked for and what they were told, and whether a mailbox agrees with it.

Each message has a number, and one writer. What the writer does is noted before it is asked: so a message has a set of
states in which it may be, which an answer makes smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mektup.store.columns import Column
from mektup.store.interface import Account, Mailbox
from mektup.terms.numbers import MAX_UINT32, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

EVERY_UID: Uids = NumberSet.span(1, MAX_UINT32)
MAILBOXES = ("INBOX", "Archive")


class State(NamedTuple):
    """A state of a message."""

    mailbox: str | None
    """None: it does not exist."""
    seen: bool = False


GONE = State(None)


@dataclass
class Journal:
    """The possible states of each message, and counts of the answers."""

    messages: dict[int, frozenset[State]] = field(default_factory=dict)
    acknowledged: int = 0
    refused: int = 0
    uncertain: int = 0

    def asked(self, number: int, wanted: State) -> None:
        """A writer asks that the message *number* be in the state *wanted*."""
        self.messages[number] = self.messages.get(number, frozenset({GONE})) | {wanted}

    def done(self, number: int, state: State) -> None:
        """It was told that this is so."""
        self.messages[number] = frozenset({state})
        self.acknowledged += 1

    def not_done(self, number: int, before: State) -> None:
        """It was told that nothing was changed."""
        self.messages[number] = frozenset({before})
        self.refused += 1

    def not_known(self) -> None:
        """It was told that nobody knows, or nothing at all."""
        self.uncertain += 1


async def differences(account: Account, journal: Journal) -> list[str]:
    """What of *account* is not as *journal* says, in words."""
    found: dict[int, list[State]] = {}
    wrong: list[str] = []
    for name in MAILBOXES:
        mailbox = await account.mailbox(name)
        there = await _there(account, mailbox)
        wrong += _wrong_numbers(mailbox, there)
        for each in there:
            found.setdefault(each.number, []).append(State(name, each.seen))
    for number, possible in journal.messages.items():
        states = found.pop(number, [])
        if len(states) > 1:
            wrong.append(f"message {number} is there {len(states)} times: {states}")
        elif (states[0] if states else GONE) not in possible:
            wrong.append(f"message {number} is {states or 'gone'}, expected one of {sorted(map(str, possible))}")
    wrong += [f"message {number} was never written" for number in found]
    return wrong


class _Message(NamedTuple):
    uid: Uid
    number: int
    seen: bool
    deleted: bool
    modseq: ModSeq
    size: int


async def _there(account: Account, mailbox: Mailbox) -> list[_Message]:
    columns = (Column.FLAGS, Column.MODSEQ, Column.SIZE, Column.RAW)
    there = []
    async for rows in account.fetch(mailbox.id, EVERY_UID, columns):
        for uid, word, modseq, size, raw in rows:
            flags = account.flag_names(word)
            number = int(raw.split(b"Subject: number ", 1)[1].split(b"\r\n", 1)[0])
            there.append(_Message(uid, number, "\\Seen" in flags, "\\Deleted" in flags, modseq, size))
    return there


def _wrong_numbers(mailbox: Mailbox, there: list[_Message]) -> list[str]:
    """Whether the counters are those of the messages, and the numbers are possible."""
    counted = {
        "messages": len(there),
        "unseen": sum(not each.seen for each in there),
        "deleted": sum(each.deleted for each in there),
        "size": sum(each.size for each in there),
    }
    wrong = [
        f"{mailbox.name}: {name} is {getattr(mailbox, name)}, counted {count}"
        for name, count in counted.items()
        if getattr(mailbox, name) != count
    ]
    uids = [each.uid for each in there]
    if uids != sorted(set(uids)) or (uids and uids[-1] >= mailbox.uidnext):
        wrong.append(f"{mailbox.name}: UIDs are not ascending, or not below {mailbox.uidnext}")
    if any(each.modseq > mailbox.highestmodseq for each in there):
        wrong.append(f"{mailbox.name}: a modseq is above {mailbox.highestmodseq}")
    return wrong
