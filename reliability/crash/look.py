"""Reads an account over IMAP, and compares it: with itself, and with what QRESYNC clients know."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reliability.clients.imap import Imap
from reliability.crash.mail import SENDERS, WORDS, Post, digest_of
from reliability.crash.view import View, flags_of, listed, numbers
from reliability.journal.account import AccountJournal
from reliability.journal.operations import Flags
from reliability.journal.seen import SeenAccount, SeenMailbox, SeenMessage

_STATUS = re.compile(rb'\* STATUS "?([^" ]+)"? \((.*)\)\r\n')
_LIST = re.compile(rb'\* LIST \([^)]*\) "/" "?([^"\r\n]+)"?\r\n')
_ROW = re.compile(
    rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\) "
    rb'INTERNALDATE "([^"]+)" RFC822.SIZE (\d+)\)\r\n'
)
_BODY = re.compile(rb"\* \d+ FETCH \(UID (\d+) BODY\[\] \{(\d+)\}\r\n")

READ_AGAIN = 0.03
"""The share of messages whose octets are read although they were read before."""


@dataclass(slots=True)
class Look:
    """Reads accounts, and counts what it has read."""

    post: Post
    chance: random.Random
    messages: int = 0
    bodies: int = 0
    octets: int = 0
    searches: int = 0
    resyncs: int = 0
    _read: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """By account and UIDVALIDITY: the UIDs whose octets were read once."""

    def account(self, imap: Imap, journal: AccountJournal, *, is_full: bool) -> SeenAccount:
        """Reads the mailboxes that operations touched; with *is_full* all of them, with the octets of each message."""
        words = b"MESSAGES UNSEEN DELETED SIZE UIDNEXT UIDVALIDITY HIGHESTMODSEQ"
        listing = imap.must(b'LIST "" "*" RETURN (STATUS (%b))' % words)
        subscribed = imap.must(b'LIST (SUBSCRIBED) "" "*"')
        mailboxes = {}
        for line in listing.untagged:
            if (found := _STATUS.match(line)) is not None:
                values = found[2].decode().split()
                mailbox = _mailbox(found[1].decode(), dict(zip(values[::2], map(int, values[1::2]), strict=True)))
                mailboxes[mailbox.name] = mailbox
                known = journal.mailboxes.get(mailbox.validity)
                if is_full or known is None or known.is_touched:
                    self._read_mailbox(imap, journal.name, mailbox, is_full=is_full)
                else:
                    mailbox.is_whole = False
        names = [found[1].decode() for line in subscribed.untagged if (found := _LIST.match(line)) is not None]
        return SeenAccount(mailboxes, frozenset(names))

    def _read_mailbox(self, imap: Imap, account: str, mailbox: SeenMailbox, *, is_full: bool) -> None:
        answer = imap.must(b'EXAMINE "%b"' % mailbox.name.encode())
        told = tuple(answer.number(code) for code in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ"))
        known = mailbox.validity, mailbox.uidnext, mailbox.modseq
        assert told == known, f"EXAMINE of {mailbox.name} tells {told}, and STATUS {known}"
        rows = imap.must(b"UID FETCH 1:* (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)").untagged
        found = [row for line in rows if (row := _ROW.match(line)) is not None]
        uids = [int(row[1]) for row in found]
        read = self._read.setdefault((account, mailbox.validity), set())
        wanted = [uid for uid in uids if is_full or uid not in read or self.chance.random() < READ_AGAIN]
        digests = self._digests(imap, wanted)
        for row in found:
            uid, size = int(row[1]), int(row[5])
            digest, octets = digests.get(uid, (None, size))
            assert octets == size, f"UID {uid} of {mailbox.name} has {octets} octets, and RFC822.SIZE {size}"
            mailbox.messages[uid] = SeenMessage(flags_of(row[2]), int(row[3]), row[4].decode(), size, digest)
        self._read[account, mailbox.validity] = read & set(uids) | digests.keys()
        self.messages += len(uids)

    def _digests(self, imap: Imap, uids: list[int]) -> dict[int, tuple[str, int]]:
        if not uids:
            return {}
        found = {}
        for line in imap.must(b"UID FETCH %b (UID BODY.PEEK[])" % listed(uids)).untagged:
            if (head := _BODY.match(line)) is not None:
                body = line[head.end() : head.end() + int(head[2])]
                found[int(head[1])] = digest_of(body), len(body)
                self.octets += len(body)
        self.bodies += len(found)
        missing = set(uids) - found.keys()
        assert not missing, f"the octets of UIDs {missing} were not sent"
        return found

    # Searches and resynchronisation

    def search_faults(self, imap: Imap, journal: AccountJournal, seen: SeenAccount) -> Iterator[str]:
        """Compares a few searches with what is there. The journal must know all messages."""
        whole = [mailbox for mailbox in seen.mailboxes.values() if mailbox.is_whole and mailbox.messages]
        if not whole:
            return
        mailbox = self.chance.choice(whole)
        known = journal.mailboxes[mailbox.validity].messages
        flag, word, sender = self.chance.choice(("Seen", "Deleted", "Flagged")), *_some(self.chance)
        modseq = self.chance.choice([each.modseq for each in mailbox.messages.values()])
        mails = {uid: self.post.known(known[uid].digest) for uid in mailbox.messages}
        wanted: dict[bytes, Iterable[int]] = {
            b"%b" % flag.upper().encode(): (u for u, m in mailbox.messages.items() if f"\\{flag}" in m.flags),
            b"UNKEYWORD $Work": (u for u, m in mailbox.messages.items() if "$Work" not in m.flags),
            b"MODSEQ %d" % modseq: (u for u, m in mailbox.messages.items() if m.modseq >= modseq),
            b"FROM %b" % sender.encode(): (u for u, mail in mails.items() if mail and mail.sender == sender),
            b"SUBJECT %b" % word.encode(): (u for u, mail in mails.items() if mail and word in mail.subject),
            b"BODY %b" % word.encode(): (u for u, mail in mails.items() if mail and word in mail.words),
        }
        imap.must(b'EXAMINE "%b"' % mailbox.name.encode())
        for key, uids in wanted.items():
            self.searches += 1
            answer = imap.must(b"UID SEARCH RETURN (ALL) CHARSET UTF-8 " + key)
            told = answer.find(rb"ALL ([\d:,]+)")
            got = set(numbers(told[1])) if told is not None else set()
            if got != set(uids := set(uids)):
                yield f"{journal.name}: SEARCH {key!r} in {mailbox.name} finds {sorted(got)}, and a scan {sorted(uids)}"

    def resync_faults(self, imap: Imap, account: str, view: View, seen: SeenAccount) -> Iterator[str]:
        """Lets a QRESYNC client resynchronise, and compares what it knows then. Changes *view*."""
        mailbox = next((each for each in seen.mailboxes.values() if each.validity == view.validity), None)
        if mailbox is None or not mailbox.is_whole:
            return
        before = view.copy()
        view.resynchronise(imap, mailbox.name)
        self.resyncs += 1
        truth: dict[int, Flags] = {uid: message.flags for uid, message in mailbox.messages.items()}
        if view.messages != truth or view.modseq != mailbox.modseq:
            yield (
                f"{account}: a client that knew {before} of {mailbox.name} resynchronised to {view}, and there are "
                f"{truth} at {mailbox.modseq}"
            )


def _some(chance: random.Random) -> tuple[str, str]:
    return chance.choice([word for word in WORDS if word.isascii()]), chance.choice(SENDERS)


def _mailbox(name: str, values: dict[str, int]) -> SeenMailbox:
    counters = {key: values[key] for key in ("MESSAGES", "UNSEEN", "DELETED", "SIZE")}
    return SeenMailbox(name, values["UIDVALIDITY"], values["UIDNEXT"], values["HIGHESTMODSEQ"], counters=counters)
