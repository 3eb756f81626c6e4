"""Mailbox names in modified UTF-7 and in UTF-8, valid and invalid."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError
from mektup.wire.mailbox_names import decode, encode, to_modified_utf7


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"", ""),
        (b"Sent Items", "Sent Items"),
        (b"a/b.c", "a/b.c"),
        (b"&-", "&"),
        (b"R&-D", "R&D"),
        (b"&AOk-", "é"),
        (b"K&AOQ-se", "Käse"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"&2D3eAA-", "😀"),
        (b"&AOkA6Q-&-&AOk-", "éé&é"),
        (b"&AOQ-&APY-", "äö"),
    ],
)
def test_modified_utf7(octets: bytes, name: str) -> None:
    assert decode(octets, utf8=False) == name


@pytest.mark.parametrize(
    "octets",
    [
        b"&",
        b"R&D",
        b"a&b-c&",
        b"&AOk",
        b"&AO k-",
        b"&A-",
        b"&AO-",
        b"&AOkA-",
        b"&AOl-",
        b"&AOk=-",
        b"&AOk/-",
        b"&AGE-",
        b"&ACY-",
        b"&AOkAYQ-",
        b"&2D0-",
        b"&3gA-",
        b"&3gDYPQ-",
    ],
)
def test_invalid_modified_utf7_is_read_as_utf8(octets: bytes) -> None:
    """``&`` alone, no end, wrong or superfluous base64, encoded printable ASCII, lone surrogates."""
    name = octets.decode()
    assert decode(octets, utf8=False) == name
    assert decode(to_modified_utf7(name), utf8=False) == name


@pytest.mark.parametrize("octets", ["Käse".encode(), "Ka\u0308se".encode()])
@pytest.mark.parametrize("utf8", [False, True])
def test_utf8(octets: bytes, utf8: bool) -> None:
    assert decode(octets, utf8=utf8) == "Käse"


def test_an_ampersand_is_ordinary_in_utf8() -> None:
    assert decode(b"&AOk-", utf8=True) == "&AOk-"
    assert decode("é&AOk-".encode(), utf8=False) == "é&AOk-"


@pytest.mark.parametrize("octets", [b"\xff", b"a\xc3", b"\xed\xa0\xbd", b"\xc0\xaf"])
@pytest.mark.parametrize("utf8", [False, True])
def test_names_that_are_neither_modified_utf7_nor_utf8(octets: bytes, utf8: bool) -> None:
    with pytest.raises(ClientError, match="UTF-8"):
        decode(octets, utf8=utf8)


@pytest.mark.parametrize(
    "octets", [b"a\tb", b"a\0", b"\r\n", b"\x7f", b"&AAo-", b"&AIU-", b"&ICg-", "a\x85b".encode(), "a\u2029".encode()]
)
def test_control_characters(octets: bytes) -> None:
    with pytest.raises(ClientError, match="control characters"):
        decode(octets, utf8=False)


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"inbox", "INBOX"),
        (b"InBoX", "INBOX"),
        (b"inbox/child/Inbox", "INBOX/child/Inbox"),
        (b"inbox/", "INBOX/"),
        (b"inboxes", "inboxes"),
        (b"a/inbox", "a/inbox"),
        ("ınbox".encode(), "ınbox"),
        ("ınbox/a".encode(), "ınbox/a"),
    ],
)
def test_inbox(octets: bytes, name: str) -> None:
    assert decode(octets, utf8=False) == name
    assert decode(octets, utf8=True) == name


@pytest.mark.parametrize(
    ("name", "rev1", "rev2"),
    [
        ("INBOX", b"INBOX", b"INBOX"),
        ("a b", b'"a b"', b'"a b"'),
        ('a"\\', b'"a\\"\\\\"', b'"a\\"\\\\"'),
        ("", b'""', b'""'),
        ("nil", b'"nil"', b'"nil"'),
        ("[Gmail]/x", b'"[Gmail]/x"', b'"[Gmail]/x"'),
        ("50%", b'"50%"', b'"50%"'),
        ("R&D", b"R&-D", b"R&D"),
        ("Käse", b"K&AOQ-se", '"Käse"'.encode()),
        ("日本 語", b'"&ZeVnLA- &ip4-"', '"日本 語"'.encode()),
        ("台北", b"&U,BTFw-", '"台北"'.encode()),
        ("&AOk-", b"&-AOk-", b"&AOk-"),
    ],
)
def test_encode(name: str, rev1: bytes, rev2: bytes) -> None:
    assert encode(name, utf8=False) == rev1
    assert encode(name, utf8=True) == rev2


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029") | st.sampled_from("&-,+/")
)


@given(NAMES)
def test_round_trip(name: str) -> None:
    name = decode(unicodedata.normalize("NFC", name).encode(), utf8=True)
    assert decode(to_modified_utf7(name), utf8=False) == name
    assert decode(name.encode(), utf8=True) == name
    assert to_modified_utf7(name).isascii()


@given(st.binary() | st.text("&-,AOk2D+/x").map(str.encode), st.booleans())
def test_any_octets_are_decoded_or_refused(octets: bytes, utf8: bool) -> None:
    try:
        name = decode(octets, utf8=utf8)
    except ClientError:
        return
    assert decode(to_modified_utf7(name), utf8=False) == name
    assert unicodedata.is_normalized("NFC", name)
