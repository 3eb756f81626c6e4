"""A strict reader of what an IMAP server sends: exactly the responses of RFC 9051 §9 and of the extensions in use.

It also counts messages: an EXPUNGE or a FETCH of a message that does not exist would make a client lose mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from reliability.fuzz.sessions.extensions import BARE_CODES, CODES, OBJECTID, SET, ExtensionReader
from reliability.fuzz.target import require
from tests.support.strict_grammar import Malformed

_TAG: Final = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_TEXT: Final = re.compile(rb"[^\r\n\0\x80-\xff]+\r\n")
_TEXT_IN_UTF8: Final = re.compile(rb"[^\r\n\0]+\r\n")
_CODE: Final = re.compile(rb'\[([A-Z-]+)(?: ("(?:[^"\\\r\n]|\\["\\])*"|[^\r\n\]]+))?\] ')
_CONDITION: Final = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH) ")
_WORD: Final = re.compile(rb"[A-Z0-9.-]+")
_NUMBERS: Final = re.compile(rb"(?: [1-9][0-9]*)*(?: \(MODSEQ [0-9]+\))?\r\n")
_FLAG: Final = rb"(?:\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+|\\\*)"
_FLAGS: Final = re.compile(rb"\((?:" + _FLAG + rb"(?: " + _FLAG + rb")*)?\)")
_ATTRIBUTES: Final = re.compile(rb"\((?:\\[A-Za-z]+(?: \\[A-Za-z]+)*)?\)")
_FIELDS: Final = rb"\((?:\"(?:[^\"\\\r\n]|\\[\"\\])*\"|\{[0-9]+\}\r\n|[^()\"\r\n])*\)"
_SECTION: Final = re.compile(
    rb"(?:BODY|BINARY)\[[0-9.]*(?:HEADER(?:\.FIELDS(?:\.NOT)? " + _FIELDS + rb")?|TEXT|MIME)?\](?:<[0-9]+>)? "
)
_DATE: Final = re.compile(rb'"[ 0-3][0-9]-[A-Z][a-z]{2}-[0-9]{4} [0-9:]{8} [+-][0-9]{4}"')
_SAVEDATE: Final = re.compile(_DATE.pattern + rb"|NIL")
_EMAILID: Final = re.compile(rb"\(" + OBJECTID + rb"\)")
_THREADID: Final = re.compile(_EMAILID.pattern + rb"|NIL")
_VANISHED: Final = re.compile(rb"( \(EARLIER\))? (" + SET + rb")\r\n")
_WORDS: Final = re.compile(rb"(?: [A-Za-z0-9=+\-./:]+)*\r\n")
_STATUS_ITEM: Final = re.compile(
    rb"(?:MESSAGES|UNSEEN|DELETED|DELETED-STORAGE|SIZE|RECENT|HIGHESTMODSEQ|APPENDLIMIT) [0-9]+"
    rb"|(?:UIDNEXT|UIDVALIDITY) [1-9][0-9]*|MAILBOXID \(" + OBJECTID + rb"\)"
)


class Responses(ExtensionReader):
    """Reads all responses in *octets*."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(octets)
        self._exists = 0
        self.tagged = 0
        """How many tagged responses there were."""

    def read(self) -> None:
        """Reads to the end. Raises Malformed, or Broken if a message is told of that does not exist."""
        while self._at < len(self._octets):
            if self._next() == b"+":
                self.take(re.compile(rb"\+ [^\r\n\0]*\r\n"), "a continuation")
            elif self._octets.startswith(b"* ", self._at):
                self._at += 2
                self._untagged()
            else:
                self.take(_TAG, "a tag")
                self._expect(b" ")
                condition = self.take(_CONDITION, "OK, NO or BAD")[1]
                require(condition in (b"OK", b"NO", b"BAD"), "a tagged BYE")
                self._text()
                self.tagged += 1

    def _text(self) -> None:
        if self._next() == b"[":
            code = self.take(_CODE, "a code")
            wanted = CODES.get(code[1])
            is_one = code[1] in BARE_CODES if code[2] is None else wanted and re.fullmatch(wanted, code[2])
            if not is_one:
                raise self._malformed(f"a code, not {code[0]!r}")
            require(code[1] != b"SERVERBUG", "an error of ours in an answer")
        if self.has_language:
            self.take(_TEXT_IN_UTF8, "text")[0].decode("utf-8")
        else:
            self.take(_TEXT, "text")

    def _untagged(self) -> None:
        if _CONDITION.match(self._octets, self._at):
            self.take(_CONDITION, "a condition")
            self._text()
        elif self._next().isdigit():
            self._numbered(self._number())
        else:
            word = self.take(_WORD, "the name of a response")[0]
            reading = self._readings().get(word)
            if reading is None:
                raise self._malformed(f"a response, not {word!r}")
            reading()

    def _readings(self) -> dict[bytes, Callable[[], object]]:
        return {
            b"CAPABILITY": lambda: self.take(_WORDS, "capabilities"),
            b"ENABLED": lambda: self.take(_WORDS, "capabilities"),
            b"SEARCH": lambda: self.take(_NUMBERS, "numbers"),
            b"SORT": lambda: self.take(_NUMBERS, "numbers"),
            b"FLAGS": self._flags,
            b"ID": self._id,
            b"LIST": self._list,
            b"LSUB": self._list,
            b"STATUS": self._status,
            b"THREAD": self._thread,
            b"VANISHED": self._vanished,
            **self.extension_readings(),
        }

    def _numbered(self, number: int) -> None:
        self._expect(b" ")
        word = self.take(_WORD, "the name of a response")[0]
        if word == b"EXISTS":
            self._exists = number
        elif word == b"EXPUNGE":
            require(1 <= number <= self._exists, "EXPUNGE of a message that does not exist")
            self._exists -= 1
        elif word == b"FETCH":
            require(1 <= number <= self._exists, "FETCH of a message that does not exist")
            self._fetch()
        elif word == b"UIDFETCH":
            self._fetch()
        elif word != b"RECENT":
            raise self._malformed(f"a response, not {word!r}")
        self._expect(b"\r\n")

    def _flags(self) -> None:
        self._expect(b" ")
        self.take(_FLAGS, "flags")
        self._expect(b"\r\n")

    def _id(self) -> None:
        self._expect(b" (")
        self._string()
        while self._next() == b" ":
            self._space_nstring()
        self._expect(b")\r\n")

    def _list(self) -> None:
        self._expect(b" ")
        self.take(_ATTRIBUTES, "attributes")
        self._expect(b' "/" ')
        self.name()
        if self._next() == b" ":
            self._expect(b" (")
            while self._next() != b")":
                self._extended_item()
                if self._next() == b" ":
                    self._expect(b" ")
            self._expect(b")")
        self._expect(b"\r\n")

    def _extended_item(self) -> None:
        name = self._string()
        self._expect(b" (")
        while self._next() != b")":
            self.name()
            if self._next() == b" ":
                self._expect(b" ")
        self._expect(b")")
        require(name in (b"OLDNAME", b"CHILDINFO"), "unknown data of a LIST")

    def _status(self) -> None:
        self._expect(b" ")
        self.name()
        self._expect(b" (")
        while self._next() != b")":
            self.take(_STATUS_ITEM, "an item of STATUS")
            if self._next() == b" ":
                self._expect(b" ")
        self._expect(b")\r\n")

    def _thread(self) -> None:
        stop = self._octets.index(b"\r\n", self._at)
        threads = self._octets[self._at : stop].removeprefix(b" ")
        require(re.fullmatch(rb"[() 0-9]*", threads), "not a thread")
        depth = 0
        for octet in threads:
            depth += (octet == 40) - (octet == 41)
            require(depth >= 0, "a thread is closed twice")
        require(depth == 0 and b"()" not in threads, "a thread is not closed, or empty")
        self._at = stop + 2

    def _vanished(self) -> None:
        found = self.take(_VANISHED, "VANISHED")
        if found[1] is None:
            for run in found[2].split(b","):
                first, _, last = run.partition(b":")
                self._exists -= int(last or first) - int(first) + 1
            require(self._exists >= 0, "more messages vanished than there were")

    def _fetch(self) -> None:
        self._expect(b" (")
        while True:
            self._item()
            if self._next() != b" ":
                break
            self._expect(b" ")
        self._expect(b")")

    def _item(self) -> None:
        if _SECTION.match(self._octets, self._at):
            self.take(_SECTION, "a section")
            self.content()
            return
        name = self.take(re.compile(rb"[A-Z0-9.]+(?:\[[0-9.]*\])? "), "an item of FETCH")[0][:-1]
        if name in (b"BODY", b"BODYSTRUCTURE"):
            self._structure(extensible=name == b"BODYSTRUCTURE")
        elif name.startswith(b"BINARY.SIZE[") or name in (b"UID", b"RFC822.SIZE"):
            self._number()
        elif name in (b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT"):
            self.content()
        elif name == b"FLAGS":
            self.take(_FLAGS, "flags")
        elif name == b"MODSEQ":
            self.take(re.compile(rb"\([1-9][0-9]*\)"), "a modseq")
        elif name == b"INTERNALDATE":
            self.take(_DATE, "a date")
        elif name == b"SAVEDATE":
            self.take(_SAVEDATE, "a date or NIL")
        elif name == b"PREVIEW":
            self._preview()
        elif name == b"EMAILID":
            self.take(_EMAILID, "an object identifier")
        elif name == b"THREADID":
            self.take(_THREADID, "an object identifier or NIL")
        elif name == b"ENVELOPE":
            self.envelope()
        else:
            raise self._malformed(f"an item of FETCH, not {name!r}")

    def _preview(self) -> None:
        """RFC 8970 §3.2: at most 256 characters of UTF-8."""
        if self._next() in (b'"', b"{"):
            require(len(self.name().decode("utf-8")) <= 256, "a long preview")
        else:
            self._expect(b"NIL")

    def _structure(self, *, extensible: bool) -> None:
        start, both = self._at, self._media_messages
        try:
            self.body(extensible=extensible)
        except Malformed:
            # message/global is a message for one revision of IMAP only
            self._at, self._media_messages = start, {b"rfc822"}
            self.body(extensible=extensible)
            self._media_messages = both
