"""A command as the log shows it: which command it was, and of what kind, but nothing that belongs to a user.

Words of the protocol are shown. So are numbers of messages, unless the command searches: there a number may be a text
that somebody looked for. Everything else is a question mark: names of mailboxes, texts, keywords, passwords. The words
below are allowed by name, so a new command shows too little rather than too much.
"""

from __future__ import annotations

import re

from mektup.wire.commands import SECRET_COMMANDS

SHOWN_BYTES = 300
"""How much of a line is shown."""

HIDDEN = "?"

_SEARCHES = frozenset({"SEARCH", "ESEARCH", "SORT", "THREAD"})

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|\{[0-9]+\+?\}|[()\[\]<> ]|[^()\[\]<> "]+')
_NUMBERS = re.compile(r"[0-9:*,.]+")

_WORDS = frozenset(
    # commands
    "UID APPEND CAPABILITY CHECK CLOSE COMPRESS COPY CREATE DELETE ENABLE ESEARCH EXAMINE EXPUNGE FETCH ID IDLE LIST "
    "LOGOUT LSUB MOVE NAMESPACE NOOP NOTIFY RENAME REPLACE SEARCH SELECT SORT STARTTLS STATUS STORE SUBSCRIBE THREAD "
    "UNSELECT UNSUBSCRIBE UIDBATCHES DELETEACL GETACL LISTRIGHTS MYRIGHTS SETACL "
    # metadata, without the names of entries, and quotas
    "FILTER GETMETADATA SETMETADATA MAXSIZE DEPTH INFINITY METADATA "
    "GETQUOTA GETQUOTAROOT SETQUOTA DELETED-STORAGE MAILBOX MESSAGE STORAGE "
    # FETCH and STORE
    "ALL FAST FULL FLAGS INTERNALDATE ENVELOPE BODY BODY.PEEK BODYSTRUCTURE BINARY BINARY.PEEK BINARY.SIZE EMAILID "
    "HEADER HEADER.FIELDS HEADER.FIELDS.NOT MIME MODSEQ PREVIEW LAZY RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT "
    "SAVEDATE TEXT THREADID CHANGEDSINCE UNCHANGEDSINCE VANISHED +FLAGS -FLAGS FLAGS.SILENT +FLAGS.SILENT "
    "-FLAGS.SILENT \\SEEN \\ANSWERED \\FLAGGED \\DELETED \\DRAFT "
    # SEARCH, ESEARCH, SORT and THREAD
    "CANCELUPDATE CONTEXT UPDATE "
    "ANSWERED BCC BEFORE CC CHARSET UTF-8 US-ASCII COUNT DELETED DRAFT FLAGGED FROM KEYWORD LARGER MAX MIN NEW NOT OLD "
    "ON OR PARTIAL RECENT RETURN SAVE SAVEDATESUPPORTED SAVEDBEFORE SAVEDON SAVEDSINCE SEEN SENTBEFORE SENTON "
    "SENTSINCE SINCE SMALLER SUBJECT TO UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNKEYWORD UNSEEN OLDER YOUNGER ARRIVAL "
    "DATE DISPLAYFROM DISPLAYTO REVERSE SIZE ORDEREDSUBJECT REFERENCES REFS FUZZY RELEVANCY "
    "COMPARATOR IN INBOXES MAILBOXES PERSONAL SELECTED SUBTREE SUBTREE-ONE UIDAFTER UIDBEFORE "
    # LIST, SELECT and STATUS
    "CHILDREN CONDSTORE HIGHESTMODSEQ INBOX MESSAGES QRESYNC RECURSIVEMATCH REMOTE SPECIAL-USE SUBSCRIBED UIDNEXT "
    "UIDVALIDITY MAILBOXID "
    # NOTIFY
    "SET NONE SELECTED SELECTED-DELAYED INBOXES PERSONAL SUBTREE MAILBOXES MESSAGENEW MESSAGEEXPUNGE FLAGCHANGE "
    "MAILBOXNAME SUBSCRIPTIONCHANGE".split()
)


def shown(line: bytes) -> str:
    """*line*, with its tag and everything private left out."""
    words = line[:SHOWN_BYTES].decode("ascii", "replace").split(" ", 1)[1:]
    rest = words[0].strip() if words else ""
    name = rest.upper().removeprefix("UID ").partition(" ")[0]
    if name.encode() in SECRET_COMMANDS:
        return name
    with_numbers = name not in _SEARCHES
    said = "".join(_masked(token, with_numbers=with_numbers) for token in _TOKEN.findall(rest))
    return f"{said}..." if len(line) > SHOWN_BYTES else said


def _masked(token: str, *, with_numbers: bool) -> str:
    if token in "()[]<> ":
        return token
    if token.upper() in _WORDS or (with_numbers and _NUMBERS.fullmatch(token)):
        return token.upper()
    return HIDDEN
