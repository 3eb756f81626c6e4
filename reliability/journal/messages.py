"""What the journal knows of mailboxes and their messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reliability.journal.operations import Date, Flags, Store


class Contradiction(AssertionError):
    """The server said something that cannot be true after what it said before."""


@dataclass(slots=True)
class Fact:
    """What the server said of a message's flags."""

    event: int
    modseq: int
    """0 if it was not told."""
    options: frozenset[Flags]
    """The flags are one of these."""


@dataclass(slots=True)
class Message:
    """A message whose UID is known."""

    digest: str
    date: Date
    facts: list[Fact]
    is_accounted: bool = True
    """Whether the operation that added it is known. False if a client only found it."""
    is_gone: bool = False
    """Whether the server said that it was removed."""
    remover_is_known: bool = False

    @property
    def base(self) -> Fact:
        """The newest fact: the one with the highest modseq."""
        return max(self.facts, key=lambda fact: (fact.modseq, fact.event))

    def options_since(self, event: int, stores: Iterable[Store]) -> frozenset[Flags]:
        """The flags that it may have had at any time since *event*, with the *stores* that were in flight then."""
        before = [fact for fact in self.facts if fact.event <= event]
        begun = [max(before, key=lambda fact: (fact.modseq, fact.event))] if before else []
        later = [fact for fact in self.facts if fact.event > event]
        return closure({flags for fact in begun + later for flags in fact.options}, stores)


def closure(options: Iterable[Flags], stores: Iterable[Store]) -> frozenset[Flags]:
    """The flags that *stores* may make of *options*: any of them done, in any order."""
    stores = tuple(stores)
    found = set(options)
    fresh = list(found)
    while fresh:
        flags = fresh.pop()
        for store in stores:
            if (after := store.applied_to(flags)) not in found:
                found.add(after)
                fresh.append(after)
    return frozenset(found)


@dataclass(slots=True)
class Mailbox:
    """A mailbox, which its UIDVALIDITY identifies in its account."""

    validity: int
    settled: int = 1
    """UIDNEXT at the last comparison: each lower UID is in ``messages`` or was removed."""
    uidnext: int = 1
    """The highest that was told."""
    modseq: int = 0
    """The highest HIGHESTMODSEQ that was told."""
    messages: dict[int, Message] = field(default_factory=dict)
    """By UID: all that are there, and those removed since the last comparison."""
    digests: dict[int, str] = field(default_factory=dict)
    """By UID: of every message that ever was in it."""
    is_touched: bool = True
    """Whether an operation concerned it since the last comparison."""
    is_deleted: bool = False
    early_gone: set[int] = field(default_factory=set)
    """UIDs that were said to be removed before their message was known."""

    def use(self, uid: int, digest: str) -> None:
        """Notes that *uid* is the message with *digest*. Raises Contradiction if it was another one."""
        if (before := self.digests.setdefault(uid, digest)) != digest:
            raise Contradiction(f"UID {uid} of mailbox {self.validity} was {before} and is {digest}: used twice")

    def living(self) -> dict[int, Message]:
        """The messages that are not known to be removed."""
        return {uid: message for uid, message in self.messages.items() if not message.is_gone}
