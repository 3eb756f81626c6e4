"""Response codes with their arguments and brackets (RFC 9051 §7.1), to be put after OK, NO, BAD or BYE."""

from __future__ import annotations

from collections.abc import Iterable

from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import ModSeq, Seq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

READ_ONLY = b"[READ-ONLY]"
READ_WRITE = b"[READ-WRITE]"
ALERT = b"[ALERT]"
CLOSED = b"[CLOSED]"


def of(refused: Refused) -> bytes:
    """The code of a refusal; empty if it has none."""
    return b"" if refused.code is None else word(refused.code)


def word(code: Code) -> bytes:
    """A code without arguments, ``[TRYCREATE]`` (RFC 5530 §3)."""
    return b"[%b]" % code.imap.encode("ascii")


def capability(names: Iterable[str]) -> bytes:
    """RFC 9051 §7.1: the present capabilities, as in an answer to CAPABILITY."""
    return b"[CAPABILITY %b]" % " ".join(names).encode("ascii")


def append_uid(uidvalidity: UidValidity, uids: Uids) -> bytes:
    """RFC 9051 §7.1 APPENDUID: the UIDs of the appended messages, in the messages' order, which is ascending.

    A single UID is written as a number, not as a range (RFC 4315 §3).
    """
    return b"[APPENDUID %d %b]" % (uidvalidity, bytes(uids))


def copy_uid(uidvalidity: UidValidity, sources: Uids, targets: Uids) -> bytes:
    """RFC 9051 §7.1 COPYUID: the nth of *sources* became the nth of *targets*. Neither may be empty."""
    return b"[COPYUID %d %b %b]" % (uidvalidity, bytes(sources), bytes(targets))


def permanent_flags(flags: Iterable[str], *, new_keywords: bool) -> bytes:
    """RFC 9051 §7.1 PERMANENTFLAGS: the flags that can be changed permanently; *new_keywords* adds ``\\*``."""
    names = [*flags, "\\*"] if new_keywords else flags
    return b"[PERMANENTFLAGS (%b)]" % " ".join(names).encode("ascii")


def uid_next(uid: Uid) -> bytes:
    """RFC 9051 §7.1 UIDNEXT."""
    return b"[UIDNEXT %d]" % uid


def uid_validity(uidvalidity: UidValidity) -> bytes:
    """RFC 9051 §7.1 UIDVALIDITY."""
    return b"[UIDVALIDITY %d]" % uidvalidity


def unseen(seq: Seq) -> bytes:
    """RFC 3501 §7.1 UNSEEN: the first message without \\Seen."""
    return b"[UNSEEN %d]" % seq


def highest_modseq(modseq: ModSeq) -> bytes:
    """RFC 7162 §3.1.2.1 HIGHESTMODSEQ."""
    return b"[HIGHESTMODSEQ %d]" % modseq


def modified(numbers: NumberSet[Uid] | NumberSet[Seq]) -> bytes:
    """RFC 7162 §3.1.3 MODIFIED: messages that STORE did not change; UIDs for UID STORE, else numbers. Not empty."""
    return b"[MODIFIED %b]" % bytes(numbers)


def bad_charset(charsets: Iterable[str] = ("UTF-8", "US-ASCII")) -> bytes:
    """RFC 9051 §7.1 BADCHARSET, with charsets that are supported."""
    return b"[BADCHARSET (%b)]" % " ".join(charsets).encode("ascii")
