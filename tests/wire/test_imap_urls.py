"""IMAP URLs of messages and their parts (RFC 5092)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.wire.fetch_items import BodySection, Partial, Section, SectionText
from mektup.wire.imap_urls import MessageUrl, message_url, shown

WHOLE = Section()
FIELDS = Section((), SectionText.HEADER_FIELDS, (b"TO", b"a b"))


def read(url: str | bytes) -> MessageUrl | None:
    return message_url(url.encode() if isinstance(url, str) else url, DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("url", "mailbox", "uidvalidity", "uid", "section"),
    [
        ("/Drafts;UIDVALIDITY=3857/;UID=20/;section=1.MIME", "Drafts", 3857, 20, Section((1,), SectionText.MIME)),
        ("/Drafts/;UID=3002", "Drafts", None, 3002, WHOLE),
        ("/a/b%20c/;uid=1/;SECTION=HEADER", "a/b c", None, 1, Section((), SectionText.HEADER)),
        ("Drafts/;UID=4294967295", "Drafts", None, 4294967295, WHOLE),
        (";UID=1/;SECTION=2.3", None, None, 1, Section((2, 3))),
        ("/;UID=1", None, None, 1, WHOLE),
        (";UIDVALIDITY=7/;UID=1", None, 7, 1, WHOLE),
        ("/I%CC%87zmir/;UID=1", "İzmir", None, 1, WHOLE),
        ("/x/;UID=1/;SECTION=HEADER.FIELDS%20(TO%20%22a%20b%22)", "x", None, 1, FIELDS),
    ],
)  # fmt: skip
def test_urls(url: str, mailbox: str | None, uidvalidity: int | None, uid: int, section: Section) -> None:
    found = read(url)
    assert found is not None
    assert (found.mailbox, found.uidvalidity, found.uid, found.section.section) == (mailbox, uidvalidity, uid, section)
    assert found.section.partial is None


@pytest.mark.parametrize(
    ("partial", "expected"), [("0.10", Partial(0, 10)), ("5", Partial(5, 10**18 - 1)), ("7.1", Partial(7, 1))]
)
def test_partial(partial: str, expected: Partial) -> None:
    for url in (f"/x/;UID=1/;SECTION=TEXT/;PARTIAL={partial}", f"/x/;UID=1/;PARTIAL={partial}"):
        found = read(url)
        assert found is not None
        assert found.section.partial == expected


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/",
            "x",
            "/x",
            "/x/;UID=",
            "/x/;UID=0",
            "/x/;UID=01",
            "/x/;UID=a",
            "/x;UID=1",
            "/x/;UID=1/",
            "/x/;UID=1;",
        ),
        *("imap://h/x/;UID=1", "//h/x/;UID=1", "imap:/x/;UID=1", "http://h/;UID=1", "/x/;UID=1/;SECTION="),
        *("/x/;UID=1/;SECTION=0", "/x/;UID=1/;SECTION=1]%20FLAGS", "/x/;UID=1/;SECTION=MIME", "/x/;UID=1/;PARTIAL=1.0"),
        *("/x/;UID=1/;PARTIAL=a", "/x/;UID=1;URLAUTH=anonymous", "/x/;UID=1/;SECTION=TEXT;EXPIRE=1", "/%FF/;UID=1"),
        *("/x;UIDVALIDITY=0/;UID=1", "/x/;UID=1/;SECTION=1%5D%3C0.1%3E", "/x/;UID=1/;SECTION=1/;SECTION=2", "/x?y"),
    ],
)
def test_what_is_no_such_url(url: str) -> None:
    assert read(url) is None


@given(st.one_of(st.binary(), st.text(";/=UID1SECTON.%20<>[]P").map(str.encode)))
def test_any_octets_are_read_or_not(octets: bytes) -> None:
    found = message_url(octets, DEFAULT_LIMITS)
    assert found is None or isinstance(found.section, BodySection)
    argument = shown(octets)
    assert argument.isascii()
    assert argument == '""' or not set(argument) & set(']"\\\r\n\0 ')
