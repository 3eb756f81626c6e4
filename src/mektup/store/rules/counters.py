"""A mailbox during a change: the next UIDs and UIDVALIDITY, the counters, and the keywords that it has used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mektup.store import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import SystemFlag
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, UidValidity

SEEN: Final = int(SystemFlag.SEEN)
DELETED: Final = int(SystemFlag.DELETED)


def next_uidvalidity(highest: int, now: int) -> UidValidity:
    """The UIDVALIDITY of a new mailbox; *highest* is the highest one used in the account, *now* is in seconds.

    A name that is deleted and created again must not get its old UIDVALIDITY, whatever the clock says (RFC 9051
    §2.3.1.1). Raises Refused(LIMIT).
    """
    following = max(highest + 1, now)
    if following > MAX_UINT32:
        raise Refused(Code.LIMIT, texts.NO_UIDVALIDITY_LEFT)
    return UidValidity(following)


def no_uids_left() -> Refused:
    """The refusal of messages for which a mailbox has not enough UIDs left."""
    return Refused(Code.LIMIT, texts.NO_UIDS_LEFT)


def too_many_keywords(most: int) -> Refused:
    """The refusal of a keyword beyond the *most* that a mailbox may have."""
    return Refused(Code.LIMIT, texts.TOO_MANY_KEYWORDS.of(keywords=most))


def keyword_too_long(most: int) -> Refused:
    """The refusal of a keyword of more than *most* octets."""
    return Refused(Code.LIMIT, texts.KEYWORD_TOO_LONG.of(octets=most))


@dataclass(slots=True)
class Box:
    """A mailbox during a change: its state before, and the differences of its counters."""

    id: MailboxId
    uidvalidity: UidValidity
    uidnext: int
    highestmodseq: ModSeq
    recent_from: int
    """The first UID that no session has claimed as \\Recent."""
    keywords: str
    """The keywords in the order of first use, separated by spaces."""
    messages: int = field(default=0, kw_only=True)
    unseen: int = field(default=0, kw_only=True)
    deleted: int = field(default=0, kw_only=True)
    size: int = field(default=0, kw_only=True)
    recent: int = field(default=0, kw_only=True)

    def count(self, flags: int, size: int, uid: int, by: int) -> None:
        """Counts a message that came (*by* is 1) or went (*by* is -1)."""
        self.messages += by
        self.size += by * size
        if not flags & SEEN:
            self.unseen += by
        if flags & DELETED:
            self.deleted += by
        if uid >= self.recent_from:
            self.recent += by

    def recount(self, old: int, new: int) -> None:
        """Counts a change of a message's flag word from *old* to *new*."""
        self.unseen += (old & SEEN) - (new & SEEN)
        self.deleted += (new & DELETED) // DELETED - (old & DELETED) // DELETED

    def name_uids(self, count: int) -> range:
        """Takes the UIDs of *count* new messages. Raises Refused(LIMIT) where not enough are left."""
        first = self.uidnext
        self.uidnext += count
        if self.uidnext > MAX_UINT32:
            raise no_uids_left()
        return range(first, self.uidnext)

    def use_keywords(self, names: Iterable[str], limits: Limits) -> None:
        """Adds the keywords that the mailbox has not used before. Raises Refused(LIMIT)."""
        used = self.keywords.split()
        there = {name.lower() for name in used}
        new = [name for name in dict.fromkeys(names) if name.lower() not in there]
        if new:
            used += new
            if len(used) > limits.keywords_per_mailbox:
                raise too_many_keywords(limits.keywords_per_mailbox)
            if max(map(len, new)) > limits.keyword_bytes:
                raise keyword_too_long(limits.keyword_bytes)
            self.keywords = " ".join(used)
