"""ID, AUTHENTICATE, LOGIN, COMPRESS, ENABLE."""

import pytest

from mektup.wire.requests import Authenticate, ChooseComparator, Compress, Enable, Id, Login, Request
from tests.wire.parsing import complaint, parsed

TAG = b"a1"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("a1 ID NIL", Id(TAG, ())),
        ("a1 id nil", Id(TAG, ())),
        ("a1 ID ()", Id(TAG, ())),
        ('a1 ID ("name" "mutt" "version" NIL)', Id(TAG, ((b"name", b"mutt"), (b"version", None)))),
        ('a1 ID ("name" "NIL" )', Id(TAG, ((b"name", b"NIL"),))),
        ('a1 ID ( name "a\\"b\\\\c")', Id(TAG, ((b"name", b'a"b\\c'),))),
        ("a1 AUTHENTICATE PLAIN", Authenticate(TAG, "PLAIN", None)),
        ("a1 authenticate scram-sha-256 ", Authenticate(TAG, "SCRAM-SHA-256", None)),
        ("a1 AUTHENTICATE PLAIN AGxpbmRhAFBhJCQxMjM=", Authenticate(TAG, "PLAIN", b"\0linda\0Pa$$123")),
        ("a1 AUTHENTICATE PLAIN =", Authenticate(TAG, "PLAIN", b"")),
        ("a1 AUTHENTICATE PLAIN = ", Authenticate(TAG, "PLAIN", b"")),
        ("a1 COMPRESS DEFLATE", Compress(TAG)),
        ("a1 compress deflate ", Compress(TAG)),
        ("a1 COMPARATOR", ChooseComparator(TAG, ())),
        ('a1 comparator "cz;*" i;basic default', ChooseComparator(TAG, ("cz;*", "i;basic", "default"))),
        ("a1 COMPARATOR * -i;Octet ", ChooseComparator(TAG, ("*", "-i;Octet"))),
        ("a1 LOGIN linda Pa$$123", Login(TAG, b"linda", b"Pa$$123")),
        ("a1 login linda Pa$$123 ", Login(TAG, b"linda", b"Pa$$123")),
        ('a1 LOGIN "linda" "a \\"b\\" \\\\"', Login(TAG, b"linda", b'a "b" \\')),
        ("a1 LOGIN linda@example.org x]", Login(TAG, b"linda@example.org", b"x]")),
        ("a1 LOGIN linda%example.org a*b%c", Login(TAG, b"linda%example.org", b"a*b%c")),
        ('a1 LOGIN linda "käse"', Login(TAG, b"linda", "käse".encode())),
        ('a1 LOGIN linda ""', Login(TAG, b"linda", b"")),
        ("a1 ENABLE IMAP4rev2", Enable(TAG, ("IMAP4REV2",))),
        ("a1 ENABLE CONDSTORE  utf8=accept X-Y", Enable(TAG, ("CONDSTORE", "UTF8=ACCEPT", "X-Y"))),
    ],
)
def test_requests(line: str, request_: Request) -> None:
    assert parsed(line) == request_


def test_literals() -> None:
    assert parsed("a1 LOGIN {} {}", b"lin da", b'"\r\n\xff') == Login(TAG, b"lin da", b'"\r\n\xff')
    assert parsed("a1 LOGIN {} Pa$$123", b"linda") == Login(TAG, b"linda", b"Pa$$123")
    assert parsed('a1 ID ({} "x" {} {})', b"name", b"os", b"") == Id(TAG, ((b"name", b"x"), (b"os", b"")))


def test_repr_contains_no_password() -> None:
    assert "Pa$$123" not in repr(parsed("a1 LOGIN linda Pa$$123"))


BASE64 = "an initial response in base64, or = for an empty one"
QUOTE = "the end of the command (put a password with spaces or special characters in quotes)"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a1 ID", 'Expected a space and NIL or fields such as ("name" "mutt") at column 6'),
        ("a1 ID x", 'Expected ( and fields such as ("name" "mutt") at column 7'),
        ('a1 ID ("name")', "Expected a space and the field's value or NIL at column 14"),
        ('a1 ID ("name" "x"', "Expected a space or ) at column 18"),
        ('a1 ID ("name" x)', "Expected the field's value or NIL at column 15"),
        ('a1 ID ("name" NILL)', "Expected the field's value or NIL at column 15"),
        ('a1 ID ("name" "x', 'Expected " at the end of a quoted string at column 17'),
        ("a1 ID NIL NIL", "Expected the end of the command at column 11"),
        ("a1 AUTHENTICATE", "Expected a space and a mechanism such as PLAIN at column 16"),
        ('a1 AUTHENTICATE "PLAIN"', "Expected a mechanism such as PLAIN at column 17"),
        ("a1 AUTHENTICATE PLAIN abc", f"Expected {BASE64} at column 23"),
        ("a1 AUTHENTICATE PLAIN ab=c", f"Expected {BASE64} at column 23"),
        ("a1 AUTHENTICATE PLAIN YQ==x", "Expected the end of the command at column 27"),
        ("a1 AUTHENTICATE PLAIN *", f"Expected {BASE64} at column 23"),
        ("a1 AUTHENTICATE PLAIN ==", "Expected the end of the command at column 24"),
        ("a1 LOGIN", "Expected a space and a user name and a password at column 9"),
        ("a1 LOGIN linda", "Expected a space and a password at column 15"),
        ("a1 LOGIN linda ", "Expected a password, in quotes where it has special characters at column 16"),
        ("a1 LOGIN linda Pa ss", f"Expected {QUOTE} at column 19"),
        ("a1 LOGIN linda a(b", f"Expected {QUOTE} at column 17"),
        ('a1 LOGIN linda a"b', f"Expected {QUOTE} at column 17"),
        ('a1 LOGIN linda "ab', 'Expected " at the end of a quoted string at column 19'),
        (
            'a1 LOGIN linda "a\\b"',
            'Expected \\" or \\\\, as a backslash in a quoted string is written \\\\ at column 18',
        ),
        ("a1 ENABLE", "Expected a space and capabilities such as IMAP4rev2 at column 10"),
        ("a1 ENABLE (X)", "Expected a capability such as IMAP4rev2 at column 11"),
    ],
)
def test_errors(line: str, text: str) -> None:
    assert complaint(line) == text


def test_columns_count_fragments_and_literals() -> None:
    assert complaint("a1 LOGIN {} {} x", b"linda", b"\xff" * 7) == f"Expected {QUOTE} at column 24"
    assert complaint("a1 LOGIN {} {}", b"linda", b"a\0b") == "A string must not contain NUL at column 17"
    assert complaint("a1 LOGIN lin{} x", b"da") == "Expected a space and a password at column 13"
    assert complaint("a1 LOGIN {}{}", b"linda", b"x") == "Expected a space and a password at column 15"
