"""The terminals of the grammar as compiled patterns, each under its rule of RFC 9051 §9.

Patterns match at a position and never search. Backtracking stays linear, because the text after a repetition never
begins like another round of it. Possessive quantifiers and atomic groups are not used, because the ``re`` of Python
3.11.2 (Debian 12) has bugs in them. If a pattern accepts more than its rule, a comment names the liberty and the client
that needs it. All rules about single characters are here; the rules of commands are in the modules of the commands.
"""

from __future__ import annotations

import re
from typing import Final

# ATOM-CHAR = <any CHAR except atom-specials>
# atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
_ATOM: Final = rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+'
_TAG: Final = rb'[^\x00-\x20\x7f-\xff(){%*"\\+]+'

# SP = %x20, exactly one.
# Liberty: several, because people type them and would not understand a BAD.
SPACE: Final = re.compile(rb" +")

# tag = 1*<any ASTRING-CHAR except "+">
TAG: Final = re.compile(_TAG)

# command = tag SP (command-any / command-auth / ...) CRLF; a command's word is an atom, or UID and an atom.
COMMAND: Final = re.compile(rb"(" + _TAG + rb") +((?:(?i:UID) +)?" + _ATOM + rb")")

# atom = 1*ATOM-CHAR
ATOM: Final = re.compile(_ATOM)

# astring = 1*ASTRING-CHAR / string
# ASTRING-CHAR = ATOM-CHAR / resp-specials
# Liberty: octets of 128 and more, because K-9 Mail sends search text in UTF-8 without quotes.
ASTRING_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f(){%*"\\]+')

# list-mailbox = 1*list-char / string
# list-char = ATOM-CHAR / list-wildcards / resp-specials
LIST_ATOM: Final = re.compile(rb'[^\x00-\x20\x7f(){"\\]+')

# quoted = DQUOTE *QUOTED-CHAR DQUOTE
# QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
# Group 1 is the text between the quotes, with escapes. Whoever decodes it checks that it is UTF-8.
QUOTED: Final = re.compile(rb'"([^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*)"')
QUOTED_START: Final = re.compile(rb'"[^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*')
ESCAPED: Final = re.compile(rb'\\(["\\])')

# nil = "NIL"
NIL: Final = re.compile(rb"NIL(?![^\x00-\x20\x7f(){%*\"\\])", re.IGNORECASE)

# number = 1*DIGIT, unsigned 32 bits; number64 = 1*DIGIT, unsigned 63 bits. CommandCursor checks the limit.
NUMBER: Final = re.compile(rb"[0-9]{1,20}")

# sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command
# seq-range = seq-number ":" seq-number; seq-number = nz-number / "*"
# A comma after the match means that the set is malformed; arguments.sequence_set() looks for it.
_RANGE: Final = rb"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?"
SEQUENCE_SET: Final = re.compile(_RANGE + rb"(?:," + _RANGE + rb")*")
SET_OCTETS: Final = re.compile(rb"[0-9:*,]*")
"""The octets of a sequence set. Ranges are counted before SEQUENCE_SET is matched, because ``re`` needs some 300 octets
of memory for each round of a repetition."""
ONE_RANGE: Final = re.compile(rb"([1-9][0-9]{0,8})(?::([1-9][0-9]{0,8}|\*))?(?= )")
"""The most common sequence sets: one number or range, too short to exceed 32 bits, with a space after it."""

REPEATED: Final = re.compile(
    rb"([0-9A-Za-z.]+) "
    rb"(?:(CHECK|IDLE|NOOP|(?:LIST|SELECT|EXAMINE|STATUS) .+)"
    rb"|((?:UID )?(?:FETCH|STORE|COPY|MOVE) )([1-9][0-9]{0,8})( .+))",
    re.DOTALL,
)
"""A whole command as clients repeat it, in upper case: its simple tag, then all behind it; or, with a sequence set of
one number, the text before the number, the number, and the text after it."""

# partial-range = partial-range-first / partial-range-last (RFC 9394 §4)
# partial-range-first = nz-number ":" nz-number; partial-range-last = MINUS nz-number ":" MINUS nz-number
PARTIAL_RANGE: Final = re.compile(rb"(-?)([1-9][0-9]{0,9}):\1([1-9][0-9]{0,9})(?![0-9:*,-])")

# flag = "\Answered" / ... / flag-keyword / flag-extension
# flag-keyword = "$MDNSent" / ... / atom; flag-extension = "\" atom
FLAG: Final = re.compile(rb"\\?" + _ATOM)

# flag-list = "(" [flag *(SP flag)] ")"
# This is the rule without liberties, and only with IMAP's five system flags; group 1 is the text between the
# parentheses. It matches up to 50 flags; a longer list is read flag by flag.
_SETTABLE: Final = rb"(?:\\(?i:answered|flagged|deleted|seen|draft)|" + _ATOM + rb")"
FLAG_LIST: Final = re.compile(rb"\(((?:" + _SETTABLE + rb"(?: " + _SETTABLE + rb"){0,49})?)\)")

# status-att-list and similar lists: "(" atom *(SP atom) ")"; group 1 as above.
ATOM_LIST: Final = re.compile(rb"\((" + _ATOM + rb"(?: " + _ATOM + rb")*)\)")

# capability = ("AUTH=" auth-type) / atom; flag-keyword, option names and return options are atoms as well.

# initial-resp = base64 / "="; base64 = *(4base64-char) [base64-terminal]
INITIAL_RESPONSE: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}|=")

# objectid = 1*255(ALPHA / DIGIT / "_" / "-")
# Liberty: in quotes too, because some programs quote every argument of SEARCH.
OBJECTID: Final = re.compile(rb'(")?([A-Za-z0-9_-]{1,255})(?(1)")(?=[ )]|\Z)')

# date = date-text / DQUOTE date-text DQUOTE
# date-text = date-day "-" date-month "-" date-year; date-day = 1*2DIGIT
DATE: Final = re.compile(rb'(")?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})(?(1)")')

# date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
# date-day-fixed = (SP DIGIT) / 2DIGIT
# Liberty: a day of one digit without its space, because scripts with imaplib send it.
DATE_TIME: Final = re.compile(
    rb'"( ?[0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), start=1
    )
}
"""date-month, lower case."""

# literal = "{" number64 ["+"] "}" CRLF *CHAR8
# literal8 = "~{" number64 "}" CRLF *OCTET, with "+" by RFC 7888 §6
# Matched at the end of a line, from its last "{" on. The "~" before it is checked separately.
ANNOUNCEMENT: Final = re.compile(rb"\{([0-9]+)(\+?)\}")

# append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal
# replace = "REPLACE" SP seq-number SP mailbox append-message (RFC 8508 §5)
# Whether the literal at the end of such a line may be a message. In the first pattern the mailbox is in the line; in
# the second the mailbox was a literal itself.
_APPENDS: Final = rb"[^ ]+ +(?:APPEND|(?:UID +)?REPLACE +[^ ]+) +"
APPEND_WITH_MAILBOX: Final = re.compile(_APPENDS + rb"[^ ]", re.IGNORECASE)
APPEND: Final = re.compile(_APPENDS + rb"$", re.IGNORECASE)

# id = "ID" SP id-params-list. Before login, such a line may be longer than other lines.
ID: Final = re.compile(rb"[^ ]+ +ID +", re.IGNORECASE)

# entry = astring, a path of components (RFC 5464 §3.2, §5)
# Liberty: /private and /shared alone, to look below them.
ENTRY: Final = re.compile(rb"/(?:private|shared)(?:/[^/*%\x00-\x1f\x7f-\xff]+)*", re.IGNORECASE)

# getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"
METADATA_OPTIONS: Final = re.compile(rb"\( *(?:MAXSIZE|DEPTH) ", re.IGNORECASE)

# setmetadata = "SETMETADATA" SP mailbox SP entry-values. A value in such a line has a limit of its own.
SETMETADATA: Final = re.compile(rb"[^ ]+ +SETMETADATA +", re.IGNORECASE)

# The commands during which RFC 9051 §5.5 and §7.5.1 forbid EXPUNGE, because they or their answers contain sequence
# numbers.
WITH_SEQUENCE_NUMBERS: Final = re.compile(
    rb"[^ ]+ +(?:FETCH|STORE|SEARCH|COPY|MOVE|REPLACE|SORT|THREAD)\b", re.IGNORECASE
)


def tag_in(line: bytes | bytearray) -> bytes | None:
    """The tag at the start of *line*, whatever follows it; None if there is no valid one."""
    found = TAG.match(line)
    if found is None or (found.end() < len(line) and line[found.end()] != 0x20):
        return None
    return bytes(found[0])
