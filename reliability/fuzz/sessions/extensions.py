"""A strict reader of the responses that extensions of IMAP add, each by the grammar of its RFC."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from reliability.fuzz.target import require
from tests.support.strict_grammar import Reader

SET = rb"[1-9][0-9]*(?::[1-9][0-9]*)?(?:,[1-9][0-9]*(?::[1-9][0-9]*)?)*"
"""sequence-set, without ``*``."""
OBJECTID = rb"[A-Za-z0-9_-]{1,255}"
"""RFC 8474 §7."""
_ATOM_CHARS: Final = rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+"
_ATOM: Final = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTED_IN_UTF8: Final = re.compile(rb'"([^"\\\r\n\0]*(?:\\["\\][^"\\\r\n\0]*)*)"')
_NZ: Final = rb"[1-9][0-9]*"

_EDIT: Final = rb"[0-9]+ " + SET
_CORRELATOR: Final = re.compile(rb' \(TAG "(?:[^"\\\r\n]|\\["\\])+"')
_ESEARCH: Final = re.compile(
    rb"(?: UID)?(?: (?:MIN|MAX|MODSEQ) " + _NZ + rb"| COUNT [0-9]+"
    rb"| ALL "
    + SET
    + rb"| PARTIAL \((?:"
    + _NZ
    + b":"
    + _NZ
    + rb"|-"
    + _NZ
    + b":-"
    + _NZ
    + rb") (?:NIL|"
    + SET
    + rb")\)"
    rb"| RELEVANCY \((?:[1-9][0-9]?|100)(?: (?:[1-9][0-9]?|100))*\)"
    rb"| (?:ADDTO|REMOVEFROM) \(" + _EDIT + rb"(?: " + _EDIT + rb")*\))*\r\n"
)
"""RFC 9051 §9 esearch-response, RFC 5267 §5, RFC 6203 §4, RFC 9394 §4."""
_UIDBATCHES: Final = re.compile(
    rb' \(TAG "(?:[^"\\\r\n]|\\["\\])+"\)(?: ' + _NZ + b":" + _NZ + b"(?:," + _NZ + b":" + _NZ + rb")*)?\r\n"
)
"""RFC 10022; the later messages first."""
_LANGUAGE_TAG: Final = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
"""RFC 5646 §2.1."""
_COLLATION: Final = re.compile(rb"[A-Za-z0-9;=.+*-]+")
"""RFC 4790 §3.1 collation-selected."""
_RIGHTS: Final = re.compile(rb"[a-z0-9]*")
_RESOURCE: Final = re.compile(_ATOM_CHARS + rb" (?:0|[1-9][0-9]{0,18}) (?:0|[1-9][0-9]{0,18})")
_ENTRY: Final = re.compile(rb"/(?:private|shared)(?:/[^/*%\0-\x1f\x7f-\xff]+)*", re.IGNORECASE)
"""RFC 5464 §4.1: no wildcards, no empty components, no slash at the end."""

_EVENT: Final = (
    rb"(?:MessageNew|MessageExpunge|FlagChange|AnnotationChange|MailboxName|SubscriptionChange"
    rb"|MailboxMetadataChange|ServerMetadataChange)"
)

CODES: Final[dict[bytes, bytes]] = {
    b"APPENDUID": rb"[1-9][0-9]* " + SET,
    b"BADCHARSET": rb"\([A-Z0-9 -]+\)",
    b"BADEVENT": rb"\(" + _EVENT + rb"(?: " + _EVENT + rb")*\)",
    b"BADURL": rb"[^\r\n\0\]]+",
    b"CAPABILITY": rb"[A-Za-z0-9=+\-./: ]+",
    b"COPYUID": rb"[1-9][0-9]* " + SET + rb" " + SET,
    b"INPROGRESS": rb'\((?:"[^"\\\r\n]+"|NIL) (?:NIL NIL|[0-9]+ (?:NIL|[1-9][0-9]*))\)',
    b"MAILBOXID": rb"\(" + OBJECTID + rb"\)",
    b"MESSAGELIMIT": rb"[1-9][0-9]*(?: [1-9][0-9]*)?",
    b"METADATA": rb"LONGENTRIES [0-9]+|MAXSIZE [0-9]+|TOOMANY|NOPRIVATE",
    b"MODIFIED": SET,
    b"NOUPDATE": rb'"(?:[^"\\\r\n]|\\["\\])+"',
    b"PERMANENTFLAGS": rb"\([^()]*\)",
    b"UNDEFINED-FILTER": rb"[!#$&'+,\-.0-9:;<=>?@A-Z\[^_`a-z|}~]+",
    **dict.fromkeys((b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"HIGHESTMODSEQ"), rb"[1-9][0-9]*"),
}
"""The arguments of the response codes that have some."""

BARE_CODES: Final = frozenset(
    b"""ALERT ALREADYEXISTS AUTHENTICATIONFAILED AUTHORIZATIONFAILED BADCOMPARATOR CANNOT CLIENTBUG CLOSED
    COMPRESSIONACTIVE CONTACTADMIN CORRUPTION EXPIRED EXPUNGEISSUED HASCHILDREN INUSE LIMIT NOMODSEQ NONEXISTENT NOPERM
    NOTIFICATIONOVERFLOW NOTSAVED OVERQUOTA PARSE PRIVACYREQUIRED READ-ONLY READ-WRITE SERVERBUG TOOBIG TOOFEW TOOMANY
    TRYCREATE UIDNOTSTICKY UIDREQUIRED UNAVAILABLE UNKNOWN-CTE USEATTR""".split()
)
"""The response codes without arguments."""


class ExtensionReader(Reader):
    """Reads what follows the name of a response, to the end of the line."""

    has_language = False
    """Whether a language was chosen: texts may be in UTF-8 from then on (RFC 5255 §3.5)."""

    def extension_readings(self) -> dict[bytes, Callable[[], object]]:
        """How each response is read, by its name."""
        return {
            b"ACL": self._acl,
            b"COMPARATOR": self._comparator,
            b"ESEARCH": self._esearch,
            b"LANGUAGE": self._language,
            b"LISTRIGHTS": self._listrights,
            b"METADATA": self._metadata,
            b"MYRIGHTS": self._myrights,
            b"NAMESPACE": self._namespace,
            b"QUOTA": self._quota,
            b"QUOTAROOT": self._quotaroot,
            b"UIDBATCHES": lambda: self.take(_UIDBATCHES, "batches"),
        }

    def take(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """Reads what *pattern* matches. Raises Malformed."""
        found = pattern.match(self._octets, self._at)
        if found is None:
            raise self._malformed(what)
        self._at = found.end()
        return found

    def name(self) -> bytes:
        """A mailbox name, or another astring; in UTF-8 where it is quoted (RFC 9755 §3)."""
        if self._next() == b'"':
            name = self.take(_QUOTED_IN_UTF8, "a quoted name")[1]
            name.decode("utf-8")
            return re.sub(rb"\\(.)", rb"\1", name)
        if self._next() == b"{":
            return self._string()
        return self.take(_ATOM, "a name")[0]

    def _astring_of(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        value = self.name()
        if pattern.fullmatch(value) is None:
            raise self._malformed(f"{what}, not {value!r}")
        return value

    def _in_parentheses(self, one: Callable[[], object], *, least: int = 1) -> None:
        """ "(" one *(SP one) ")"."""
        self._expect(b"(")
        count = 0
        while self._next() != b")":
            if count:
                self._expect(b" ")
            one()
            count += 1
        self._expect(b")")
        if count < least:
            raise self._malformed("a list that is not empty")

    def _esearch(self) -> None:
        """RFC 9051 §9 esearch-response, RFC 7377 §4 for the mailbox in the correlator."""
        self.take(_CORRELATOR, "the tag of a search")
        if self._next() == b" ":
            self._expect(b" MAILBOX ")
            self.name()
            self._expect(b" UIDVALIDITY ")
            require(self._number() > 0, "a UIDVALIDITY of 0")
        self._expect(b")")
        self.take(_ESEARCH, "an ESEARCH")

    def _acl(self) -> None:
        """acl-data (RFC 4314 §7)."""
        self._expect(b" ")
        self.name()
        while self._next() == b" ":
            self._expect(b" ")
            require(self.name(), "an identifier that is empty")
            self._expect(b" ")
            self._rights()
        self._expect(b"\r\n")

    def _listrights(self) -> None:
        """listrights-data (RFC 4314 §7): no right is told twice."""
        self._expect(b" ")
        self.name()
        self._expect(b" ")
        require(self.name(), "an identifier that is empty")
        self._expect(b" ")
        told = self._rights()
        while self._next() == b" ":
            self._expect(b" ")
            told += self._rights()
        require(len(set(told)) == len(told), "a right is told twice")
        self._expect(b"\r\n")

    def _myrights(self) -> None:
        """myrights-data (RFC 4314 §7)."""
        self._expect(b" ")
        self.name()
        self._expect(b" ")
        self._rights()
        self._expect(b"\r\n")

    def _rights(self) -> bytes:
        rights = self._astring_of(_RIGHTS, "rights")
        require(len(set(rights)) == len(rights), "a right is told twice")
        return rights

    def _language(self) -> None:
        """language-data (RFC 5255 §3.5)."""
        self.has_language = True
        self._expect(b" ")
        self._in_parentheses(lambda: self._astring_of(_LANGUAGE_TAG, "a language"))
        self._expect(b"\r\n")

    def _comparator(self) -> None:
        """comparator-data (RFC 5255 §4.9)."""
        self._expect(b" ")
        self._astring_of(_COLLATION, "a comparator")
        if self._next() == b" ":
            self._expect(b" ")
            self._in_parentheses(lambda: self._astring_of(_COLLATION, "a comparator"))
        self._expect(b"\r\n")

    def _namespace(self) -> None:
        """namespace-response (RFC 9051 §9), with the translations of RFC 5255 §3.4."""
        for _ in range(3):
            self._expect(b" ")
            if self._next() == b"(":
                self._expect(b"(")
                self._namespace_descr()
                while self._next() == b"(":
                    self._namespace_descr()
                self._expect(b")")
            else:
                self._expect(b"NIL")
        self._expect(b"\r\n")

    def _namespace_descr(self) -> None:
        self._expect(b"(")
        # a name of a mailbox, which may be in UTF-8
        require(self._next() in (b'"', b"{"), "a prefix that is no string")
        self.name()
        self._expect(b' "/"')
        while self._next() == b" ":
            self._expect(b" ")
            require(self._string() == b"TRANSLATION", "an unknown extension of NAMESPACE")
            self._expect(b" ")
            self._in_parentheses(self._string)
        self._expect(b")")

    def _quota(self) -> None:
        """quota-response (RFC 9208 §7). An empty list is from RFC 2087 §7: nothing is limited (RFC 9208 §4.1.3)."""
        self._expect(b" ")
        self.name()
        self._expect(b" ")
        self._in_parentheses(lambda: self.take(_RESOURCE, "a resource"), least=0)
        self._expect(b"\r\n")

    def _quotaroot(self) -> None:
        """quotaroot-response (RFC 9208 §7)."""
        self._expect(b" ")
        self.name()
        while self._next() == b" ":
            self._expect(b" ")
            self.name()
        self._expect(b"\r\n")

    def _metadata(self) -> None:
        """metadata-resp (RFC 5464 §5): entries with values, or, told unasked, names of entries."""
        self._expect(b" ")
        self.name()
        self._expect(b" ")
        if self._next() == b"(":
            self._in_parentheses(self._entry_value)
        else:
            self._astring_of(_ENTRY, "an entry")
            while self._next() == b" ":
                self._expect(b" ")
                self._astring_of(_ENTRY, "an entry")
        self._expect(b"\r\n")

    def _entry_value(self) -> None:
        self._astring_of(_ENTRY, "an entry")
        self._expect(b" ")
        self.content()

    def content(self) -> None:
        """nstring / literal8."""
        if self._next() == b"~":
            size = self.take(re.compile(rb"~\{([0-9]+)\}\r\n"), "a literal8")
            self._at += int(size[1])
            require(self._at <= len(self._octets), "a literal is cut")
        else:
            self._nstring()
