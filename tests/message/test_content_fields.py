"""Content-ID, Content-Location and Content-MD5, by their grammars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.content_fields import content_id, content_location, content_md5

FOLDED = st.lists(st.sampled_from([b"a", b"(", b")", b" ", b"\t", b"\r\n ", b'"', b"\\", b"<", b">"])).map(b"".join)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b" <a@b>\r", b"<a@b>"),
        (b" (x) <a@b> (y)\r", b"<a@b>"),
        (b"\r\n <a.\r\n b@ c>", b"<a.b@c>"),
        (b'<"a b" . c@d>', b'<"a b".c@d>'),
        (b"a b", b"a b"),  # no msg-id
        (b"", b""),
    ],
)
def test_a_content_id(value: bytes, shown: bytes) -> None:
    assert content_id(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b" http://x.example/a.png\r", b"http://x.example/a.png"),
        (b"(x) (y) http://x.example/ (a (b)) (c)\r", b"http://x.example/"),
        (b" http://x.example/\r\n\ta/\r\n b.png", b"http://x.example/a/b.png"),
        (b"http://x.example/a(b)(c)", b"http://x.example/a(b)(c)"),
        (b"a (b) c", b"a (b) c"),
        (b"a (b", b"a (b"),
        (b"a (b) (c", b"a (b) (c"),
        (b"my file.png", b"my file.png"),
        (b"(unclosed", b"(unclosed"),
        (b"", b""),
    ],
)
def test_a_content_location(value: bytes, shown: bytes) -> None:
    assert content_location(value) == shown


def test_a_content_md5() -> None:
    assert content_md5(b" Q2hl\r\n Y2s= (x)\r") == b"Q2hlY2s="


@given(FOLDED)
def test_any_octets_give_a_value_without_line_breaks(value: bytes) -> None:
    for read in (content_id, content_location, content_md5):
        assert not set(read(value)) & set(b"\r\n")
