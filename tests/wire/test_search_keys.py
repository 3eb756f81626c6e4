"""Search programs, from text to the tree of terms.search."""

from datetime import date

import pytest

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import Uid
from mektup.terms.search import (
    AddressField,
    All,
    And,
    Arrived,
    ChangedSince,
    Fuzzy,
    HasFlag,
    InAddress,
    InBody,
    InHeader,
    InSeqs,
    InSubject,
    InText,
    InUids,
    InUidSet,
    Larger,
    Not,
    Older,
    Or,
    Recent,
    Saved,
    SearchKey,
    Sent,
    Smaller,
    When,
    Younger,
)
from mektup.terms.sets import STAR, NumberSet, SavedResult, SequenceSet
from mektup.wire.requests import Search
from tests.wire.parsing import complaint, parsed

SEEN, DELETED = HasFlag("\\Seen"), HasFlag("\\Deleted")
DAY = date(2024, 2, 1)


def key(text: str | bytes, *literals: bytes, limits: Limits = DEFAULT_LIMITS) -> SearchKey:
    line = b"a1 SEARCH " + (text if isinstance(text, bytes) else text.encode())
    request = parsed(line, *literals, limits=limits)
    assert isinstance(request, Search)
    return request.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALL", All()),
        ("all", All()),
        *((name.upper(), HasFlag(f"\\{name}")) for name in ("Answered", "Deleted", "Draft", "Flagged", "Seen")),
        *((f"UN{name.upper()}", Not(HasFlag(f"\\{name}"))) for name in ("Answered", "Deleted", "Draft", "Flagged")),
        ("UNSEEN", Not(SEEN)),
        ("NEW", And((Recent(), Not(SEEN)))),
        ("OLD", Not(Recent())),
        ("RECENT", Recent()),
        ("KEYWORD $Junk", HasFlag("$Junk")),
        ("UNKEYWORD x", Not(HasFlag("x"))),
        ("BCC x", InAddress(AddressField.BCC, "x")),
        ("CC x", InAddress(AddressField.CC, "x")),
        ("FROM x", InAddress(AddressField.FROM, "x")),
        ("TO x", InAddress(AddressField.TO, "x")),
        ('SUBJECT "a \\"b\\""', InSubject('a "b"')),
        ("BODY x", InBody("x")),
        ('TEXT ""', InText("")),
        ("HEADER Message-ID <1@x>", InHeader("message-id", "<1@x>")),
        ('HEADER "X-Y" ""', InHeader("x-y", "")),
        ("BEFORE 1-Feb-2024", Arrived(When.BEFORE, DAY)),
        ("ON 01-feb-2024", Arrived(When.ON, DAY)),
        ('SINCE "1-Feb-2024"', Arrived(When.SINCE, DAY)),
        ("SENTBEFORE 1-Feb-2024", Sent(When.BEFORE, DAY)),
        ("SENTON 1-FEB-2024", Sent(When.ON, DAY)),
        ('SENTSINCE "01-Feb-2024"', Sent(When.SINCE, DAY)),
        ("SAVEDBEFORE 1-Feb-2024", Saved(When.BEFORE, DAY)),
        ("SAVEDON 1-FEB-2024", Saved(When.ON, DAY)),
        ('SAVEDSINCE "01-Feb-2024"', Saved(When.SINCE, DAY)),
        ("SAVEDATESUPPORTED", All()),
        ("LARGER 0", Larger(0)),
        ("SMALLER 9223372036854775807", Smaller(2**63 - 1)),
        ("OLDER 60", Older(60)),
        ("YOUNGER 4294967295", Younger(2**32 - 1)),
        ("UID 1:5", InUidSet(SequenceSet(((1, 5),)))),
        ("UID $", InUidSet(SavedResult())),
        ("7,9:*", InSeqs(SequenceSet(((7, 7), (9, STAR))))),
        ("*", InSeqs(SequenceSet(((STAR, STAR),)))),
        ("$", InSeqs(SavedResult())),
        ("MODSEQ 620162338", ChangedSince(620162338)),
        ("MODSEQ 0", ChangedSince(0)),
        ('MODSEQ "/flags/\\\\draft" all 620162338', ChangedSince(620162338)),
        ('modseq "/flags/$x" PRIV 1', ChangedSince(1)),
    ],
)
def test_keys(text: str, expected: SearchKey) -> None:
    assert key(text) == expected
    assert key(f"({text})") == expected
    assert key(f"NOT {text}") == Not(expected)
    assert key(f"SEEN {text} DELETED") == And((SEEN, expected, DELETED))
    assert key(f"OR {text} SEEN") == Or(expected, SEEN)
    assert key(f"OR SEEN ({text}) ") == Or(SEEN, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FUZZY SUBJECT x", Fuzzy(InSubject("x"))),
        ("fuzzy (SUBJECT x BODY y)", And((Fuzzy(InSubject("x")), Fuzzy(InBody("y"))))),
        ("FUZZY SUBJECT x BODY y", And((Fuzzy(InSubject("x")), InBody("y")))),
        ("FUZZY (SUBJECT x) BODY y", And((Fuzzy(InSubject("x")), InBody("y")))),
        ("FUZZY OR SUBJECT x BODY y SUBJECT z", And((Or(Fuzzy(InSubject("x")), Fuzzy(InBody("y"))), InSubject("z")))),
        ("OR FUZZY FROM x FROM y", Or(Fuzzy(InAddress(AddressField.FROM, "x")), InAddress(AddressField.FROM, "y"))),
        ("NOT FUZZY HEADER X-Y z", Not(Fuzzy(InHeader("x-y", "z")))),
        ("FUZZY NOT FUZZY TEXT x TEXT y", And((Not(Fuzzy(InText("x"))), InText("y")))),
        (
            "FUZZY (SEEN (FUZZY 1 TEXT x)) TEXT y",
            And((And((SEEN, And((InSeqs(SequenceSet(((1, 1),))), Fuzzy(InText("x")))))), InText("y"))),
        ),
    ],
)
def test_fuzzy(text: str, expected: SearchKey) -> None:
    assert key(text) == expected


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("a1 SEARCH RETURN (RELEVANCY)", "SUBJECT x"),
        ("a1 SEARCH RETURN (RELEVANCY) CHARSET UTF-8", "SEEN NOT SUBJECT x"),
        ("a1 SORT (RELEVANCY) UTF-8", "ALL"),
        ("a1 SORT RETURN (RELEVANCY) (DATE) UTF-8", "ALL"),
        ("a1 ESEARCH IN (personal) RETURN (RELEVANCY ALL)", "SEEN"),
    ],
)
def test_relevancy_needs_fuzzy(command: str, keys: str) -> None:
    """The column is that of the first key."""
    needs = "RELEVANCY needs a search key with FUZZY before it"
    assert complaint(f"{command} {keys}") == f"{needs} at column {len(command) + 2}"
    assert parsed(f"{command} {keys} FUZZY SEEN")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UNSEEN NOT DELETED", And((Not(SEEN), Not(DELETED)))),
        ("(SEEN DELETED)", And((SEEN, DELETED))),
        ("( SEEN  DELETED )", And((SEEN, DELETED))),
        ("((SEEN) (DELETED))", And((SEEN, DELETED))),
        ("NOT (SEEN DELETED)", Not(And((SEEN, DELETED)))),
        ("NOT NOT SEEN", Not(Not(SEEN))),
        ("OR SEEN OR DELETED ALL", Or(SEEN, Or(DELETED, All()))),
        ("OR OR SEEN DELETED ALL", Or(Or(SEEN, DELETED), All())),
        ("OR NOT SEEN (DELETED ALL) ALL", And((Or(Not(SEEN), And((DELETED, All()))), All()))),
        ("NOT OR SEEN NOT DELETED", Not(Or(SEEN, Not(DELETED)))),
        ("(OR (SEEN) (NOT (DELETED))) 1", And((Or(SEEN, Not(DELETED)), InSeqs(SequenceSet(((1, 1),)))))),
    ],
)
def test_nesting(text: str, expected: SearchKey) -> None:
    assert key(text) == expected


# Text


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("", "käse".encode()),
        ("UTF-8", "käse".encode()),
        ("utf-8", "käse".encode()),
        ("ISO-8859-1", "käse".encode("latin-1")),
        ("iso-8859-15", "käse".encode("latin-1")),
        ("windows-1252", "käse".encode("cp1252")),
        ("UTF-7", b"k+AOQ-se"),
    ],
)
def test_charsets(charset: str, octets: bytes) -> None:
    prefix = f"CHARSET {charset} ".encode() if charset else b""
    assert key(prefix + b'SUBJECT "' + octets + b'"') == InSubject("käse")
    assert key(prefix + b"SUBJECT {}", octets) == InSubject("käse")
    assert key(prefix + b"SUBJECT " + octets) == InSubject("käse")


@pytest.mark.parametrize("charset", ["KOI8-R", "KOI8-U", "windows-1251", "ISO-8859-5", "mac-cyrillic"])
def test_cyrillic(charset: str) -> None:
    assert key(b"CHARSET " + charset.encode() + b" TEXT {}", "да".encode(charset)) == InText("да")


@pytest.mark.parametrize("charset", ["US-ASCII", "Shift_JIS", "EUC-JP", "ISO-2022-JP", "GB18030", "Big5", "EUC-KR"])
def test_more_charsets(charset: str) -> None:
    assert key(f"CHARSET {charset} TEXT x") == InText("x")


@pytest.mark.parametrize(
    "charset", ["x", "base64", "rot13", "hex", "idna", "punycode", "undefined", "unicode_escape", "../utf_8", "é", '""']
)
def test_unknown_charsets(charset: str) -> None:
    with pytest.raises(Refused) as refused:
        key(f"CHARSET {charset} TEXT x")
    assert refused.value.code is Code.BADCHARSET


def test_text_that_is_invalid_in_its_charset() -> None:
    assert complaint(b"a1 SEARCH TEXT \xff") == "Expected text in the charset UTF-8 at column 16"
    assert complaint(b'a1 SEARCH CHARSET US-ASCII TEXT "k\xc3\xa4se"') == (
        "Expected text in the charset ASCII at column 33"
    )


# Errors

KEY = 'a search key such as UNSEEN, FROM "linda" or SINCE 1-Feb-2024'
DATE = "a date such as 1-Feb-2024"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", f"Expected {KEY} at column 11"),
        ("FOO", f"Expected {KEY} at column 11"),
        ("SEEN,DELETED", f"Expected {KEY} at column 11"),
        ("SEEN FOO", f"Expected {KEY} at column 16"),
        ('"SEEN"', f"Expected {KEY} at column 11"),
        ("NOT", f"Expected a space and {KEY} at column 14"),
        ("NOT ", f"Expected {KEY} at column 15"),
        ("OR SEEN", "Expected a space and the second search key of OR at column 18"),
        ("(OR SEEN)", "This ) ends no list of search keys at column 19"),
        ("SEEN)", "This ) ends no list of search keys at column 15"),
        ("(SEEN", "Expected ) at the end of a list of search keys at column 16"),
        ("(SEEN ", "Expected ) at the end of a list of search keys at column 17"),
        ("()", f"Expected {KEY} at column 12"),
        ("(SEEN)DELETED", "Expected the end of the command at column 17"),
        ("FROM", "Expected a space and text to search for at column 15"),
        ("FROM (x)", "Expected text to search for at column 16"),
        ("HEADER Subject", "Expected a space and text to search for at column 25"),
        ("SINCE yesterday", f"Expected {DATE} at column 17"),
        ("SINCE 30-Feb-2024", f"Expected {DATE} at column 17"),
        ("SINCE 1-Foo-2024", f"Expected {DATE} at column 17"),
        ("SINCE 1-Feb-0000", f"Expected {DATE} at column 17"),
        ('SINCE "1-Feb-2024', f"Expected {DATE} at column 17"),
        ('SINCE 1-Feb-2024"', "Expected the end of the command at column 27"),
        ("LARGER x", "Expected a number of octets: a number up to 9223372036854775807 at column 18"),
        ("YOUNGER 0", "Expected at least one second at column 19"),
        ("OLDER 4294967296", "Expected a number of seconds: a number up to 4294967295 at column 17"),
        ("KEYWORD \\Seen", "Expected a keyword such as $Forwarded at column 19"),
        ("KEYWORD (x)", "Expected a keyword such as $Forwarded at column 19"),
        ("UID", "Expected a space and a set of UIDs at column 14"),
        ("UID x", "Expected a sequence set such as 7 or 1:5,9:* at column 15"),
        ("0", "Expected a sequence set such as 7 or 1:5,9:* at column 11"),
        ('MODSEQ "/flags/x" 5', "Expected priv, shared or all at column 29"),
        ("MODSEQ x", "Expected a modseq: a number up to 9223372036854775807 at column 18"),
    ],
)
def test_errors(text: str, told: str) -> None:
    assert complaint(f"a1 SEARCH {text}") == told


@pytest.mark.parametrize("opening", ["(", "NOT ", "OR ", "NOT ("])
def test_nesting_is_limited(opening: str) -> None:
    told = complaint("a1 SEARCH " + opening * 20_000 + "SEEN")
    assert told.startswith("Expected search keys nested at most 500 deep at column ")


def test_a_chain_of_or_is_limited_by_its_keys() -> None:
    told = complaint("a1 SEARCH " + "OR SEEN " * 20_000 + "SEEN")
    assert told.startswith("Expected at most 1000 search keys at column ")


def test_nesting_up_to_the_limit() -> None:
    made, depth = key("NOT " * 500 + "SEEN"), 0
    while isinstance(made, Not):
        made, depth = made.key, depth + 1
    assert (made, depth) == (SEEN, 500)
    assert key("(" * 500 + "SEEN" + ")" * 500) == SEEN


def test_the_number_of_keys_is_limited() -> None:
    many = key(" ".join(["SEEN"] * 1000))
    assert many == And((SEEN,) * 1000)
    told = complaint("a1 SEARCH " + " ".join(["SEEN"] * 1001))
    assert told == "Expected at most 1000 search keys at column 5011"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UIDAFTER 5", InUids(NumberSet.span(Uid(6), Uid(2**32 - 1)))),
        ("uidbefore 5", InUids(NumberSet.span(Uid(1), Uid(4)))),
        ("UIDBEFORE 1", InUids(NumberSet())),
        ("UIDAFTER 4294967295", InUids(NumberSet())),
    ],
)
def test_keys_of_messagelimit(text: str, expected: SearchKey) -> None:
    """RFC 9738 §3.2: known only where the extension is announced."""
    limits = Limits(message_limit=1000)
    assert key(text, limits=limits) == expected
    assert key(f"NOT {text}", limits=limits) == Not(expected)
    with pytest.raises(ClientError):
        key(text)


@pytest.mark.parametrize("text", ["UIDAFTER", "UIDAFTER 0", "UIDBEFORE 1:2", "UIDAFTER *", "UIDBEFORE 4294967296"])
def test_malformed_keys_of_messagelimit(text: str) -> None:
    with pytest.raises(ClientError):
        key(text, limits=Limits(message_limit=1000))
