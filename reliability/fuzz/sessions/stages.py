"""The states of a connection in which mutated input arrives, each with the input that leads there."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

NAME, PASSWORD = b"linda", b"Pa$$123"
FRIEND = b"chris"
"""Shares INBOX and notes with linda."""

_IN = b"p1 LOGIN %b %b\r\n" % (NAME, PASSWORD)
_SELECTED = _IN + b"p2 SELECT INBOX\r\n"
_POP3 = b"USER %b\r\n" % NAME
_POP3_IN = _POP3 + b"PASS %b\r\n" % PASSWORD
_MAIL = b"LHLO there\r\nMAIL FROM:<ada@example.org>\r\n"
_RCPT = _MAIL + b"RCPT TO:<linda@example.org>\r\nRCPT TO:<linda+Drafts@example.org>\r\n"

STAGES: dict[str, dict[str, bytes]] = {
    "imap": {
        "none": b"",
        "authenticating": b"p1 AUTHENTICATE PLAIN\r\n",
        "scram": b"p1 AUTHENTICATE SCRAM-SHA-256\r\n",
        "authenticated": _IN,
        "selected": _SELECTED,
        "examined": _IN + b"p2 EXAMINE INBOX\r\n",
        "empty": _IN + b"p2 SELECT Drafts\r\n",
        "rev2": _IN + b"p2 ENABLE IMAP4rev2\r\np3 SELECT INBOX\r\n",
        "qresync": _IN + b"p2 ENABLE QRESYNC\r\np3 SELECT INBOX\r\n",
        "uidonly": _IN + b"p2 ENABLE UIDONLY\r\np3 SELECT INBOX\r\n",
        "condstore": _IN + b"p2 SELECT INBOX (CONDSTORE)\r\n",
        "saved": _SELECTED + b"p3 SEARCH RETURN (SAVE) 2:3\r\n",
        "notified": _SELECTED
        + b"p3 NOTIFY SET STATUS (SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
        + b" (PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange MessageNew MessageExpunge))\r\n",
        "watching": _SELECTED
        + b"p3 SEARCH RETURN (UPDATE ALL) UNSEEN\r\np4 UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 NOT DELETED\r\n",
        "turkish": _IN + b"p2 LANGUAGE tr\r\np3 SELECT INBOX\r\n",
        "utf8": _IN + b"p2 ENABLE UTF8=ACCEPT\r\np3 SELECT INBOX\r\n",
        "shared": _IN + b'p2 SELECT "Other Users/%b/INBOX"\r\n' % FRIEND,
        "readable": _IN + b'p2 SELECT "Other Users/%b/notes"\r\n' % FRIEND,
        "idling": _SELECTED + b"p3 IDLE\r\n",
        "uploading": _SELECTED + b"p3 APPEND INBOX {40}\r\n",
        "literal": _SELECTED + b"p3 SEARCH TEXT {4}\r\n",
        "compressed": _IN + b"p2 COMPRESS DEFLATE\r\np3 SELECT INBOX\r\n",
        "deleted": _IN + b"p2 CREATE gone\r\np3 SELECT gone\r\np4 DELETE gone\r\n",
        "skipping": _SELECTED + b"p3 " + b"x" * 300_000,
    },
    "pop3": {
        "none": b"",
        "user": _POP3,
        "authenticating": b"AUTH PLAIN\r\n",
        "transaction": _POP3_IN,
        "marked": _POP3_IN + b"DELE 1\r\nRETR 2\r\n",
    },
    "lmtp": {
        "none": b"",
        "greeted": b"LHLO there\r\n",
        "mail": _MAIL,
        "rcpt": _RCPT,
        "data": _RCPT + b"DATA\r\n",
        "utf8": b"LHLO there\r\nMAIL FROM:<> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<linda>\r\n",
    },
}


@dataclass(frozen=True, slots=True)
class Script:
    """What a client sends, and how."""

    stage: str
    before: bytes
    """Leads to the stage; arrives as a whole."""
    octets: bytes
    rng: random.Random
    """Decides how the octets arrive, and what happens meanwhile."""


def script(protocol: str, octets: bytes) -> Script:
    """Reads an input: its first line names a stage and a number, the rest is what the client sends.

    A line that names no stage means one nevertheless, so that any octets are an input.
    """
    head, _, rest = octets.partition(b"\n")
    stages = STAGES[protocol]
    name = head.partition(b" ")[0].decode("latin-1")
    if name not in stages:
        name = list(stages)[zlib.crc32(head) % len(stages)]
    return Script(name, stages[name], rest, random.Random(zlib.crc32(head)))
