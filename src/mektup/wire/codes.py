"""Response codes with their arguments and brackets (RFC 9051 §7.1), to be put after OK, NO, BAD or BYE."""

from __future__ import annotations

from collections.abc import Iterable

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.mailbox_events import SUPPORTED
from mektup.terms.numbers import ModSeq, Seq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

READ_ONLY = b"[READ-ONLY]"
READ_WRITE = b"[READ-WRITE]"
ALERT = b"[ALERT]"
CLOSED = b"[CLOSED]"


def of(error: Refused | ClientError) -> bytes:
    """The code of an error, with its argument; empty if it has none."""
    match error.code:
        case None:
            return b""
        case code if isinstance(error, Refused) and error.argument:
            return b"[%b %b]" % (code.imap.encode("ascii"), error.argument.encode("ascii"))
        case Code.BADCHARSET:
            return bad_charset()
        case Code.BADEVENT:
            return bad_event()
        case code if isinstance(error, Refused) and error.numbers:
            return b"[%b]" % " ".join([code.imap, *map(str, error.numbers)]).encode("ascii")
        case code:
            return word(code)


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


def mailbox_id(mailboxid: str) -> bytes:
    """RFC 8474 §4.1, §4.2 MAILBOXID."""
    return b"[MAILBOXID (%b)]" % mailboxid.encode("ascii")


def highest_modseq(modseq: ModSeq) -> bytes:
    """RFC 7162 §3.1.2.1 HIGHESTMODSEQ."""
    return b"[HIGHESTMODSEQ %d]" % modseq


def long_entries(octets: int) -> bytes:
    """RFC 5464 §4.2.1 METADATA LONGENTRIES: the size of the largest value that was left out."""
    return b"[METADATA LONGENTRIES %d]" % octets


def modified(numbers: NumberSet[Uid] | NumberSet[Seq]) -> bytes:
    """RFC 7162 §3.1.3 MODIFIED: messages that STORE did not change; UIDs for UID STORE, else numbers. Not empty."""
    return b"[MODIFIED %b]" % bytes(numbers)


def message_limit(most: int, lowest: Uid) -> bytes:
    """RFC 9738 §3.1 MESSAGELIMIT: a command did *most* messages, and the one with the *lowest* UID last."""
    return b"[MESSAGELIMIT %d %d]" % (most, lowest)


def no_update(tag: bytes) -> bytes:
    """RFC 5267 §4.3.1 NOUPDATE: changes of the result of the search with *tag* are not told."""
    return b'[NOUPDATE "%b"]' % tag


def in_progress(tag: bytes) -> bytes:
    """RFC 9585 §4 INPROGRESS: the command with *tag* goes on; how much of it is done, and of how much, is not known.

    A tag with a bracket is left out, because some clients would take that for the end of the code.
    """
    return b"[INPROGRESS (NIL NIL NIL)]" if b"]" in tag else b'[INPROGRESS ("%b" NIL NIL)]' % tag


def bad_charset(charsets: Iterable[str] = ("UTF-8", "US-ASCII")) -> bytes:
    """RFC 9051 §7.1 BADCHARSET, with charsets that are supported."""
    return b"[BADCHARSET (%b)]" % " ".join(charsets).encode("ascii")


def bad_event() -> bytes:
    """RFC 5465 §3.1 BADEVENT, with all events that are supported."""
    return b"[BADEVENT (%b)]" % " ".join(event.value for event in SUPPORTED).encode("ascii")
