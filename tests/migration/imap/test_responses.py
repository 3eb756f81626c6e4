"""RFC 9051 §7, §9: what a server sends becomes values, however it is cut; what is no IMAP is refused, and bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.migration.imap.errors import NotUnderstood
from mektup.migration.imap.responses import (
    LITERAL_BYTES,
    NESTING,
    Continuation,
    Message,
    Status,
    Untagged,
    Value,
    read_response,
)
from mektup.store.spool import Spool


class Memory:
    """Octets of a server in memory, given in pieces of *step*."""

    def __init__(self, octets: bytes, step: int = 5) -> None:
        self.octets, self._step = octets, step

    async def line(self, most: int) -> bytes:
        line, _, self.octets = self.octets.partition(b"\r\n")
        if len(line) > most:
            raise NotUnderstood(None)  # type: ignore[arg-type]
        return line

    async def pieces(self, count: int) -> AsyncIterator[bytes]:
        while count:
            piece = self.octets[: min(count, self._step)]
            self.octets, count = self.octets[len(piece) :], count - len(piece)
            yield piece


async def read(octets: bytes) -> Untagged | Status | Continuation:
    return await read_response(Memory(octets), Spool)


async def values(octets: bytes) -> Sequence[Value]:
    response = await read(octets)
    assert isinstance(response, Untagged)
    return response.values


async def test_a_list_line() -> None:
    assert await read(b'* LIST (\\HasNoChildren \\Sent) "/" "Sent \\"mail\\""\r\n') == Untagged(
        "LIST", None, [["\\HasNoChildren", "\\Sent"], b"/", b'Sent "mail"']
    )


async def test_a_name_may_be_a_literal_and_the_line_goes_on() -> None:
    assert await values(b"* STATUS {3}\r\na b (MESSAGES 3)\r\n") == [b"a b", ["MESSAGES", "3"]]


async def test_a_quoted_string_that_ends_like_a_literal_is_none() -> None:
    assert await values(b'* LIST () NIL "a{3}"\r\n') == [[], "NIL", b"a{3}"]


async def test_the_text_of_a_status_that_ends_like_a_literal_has_none() -> None:
    assert await read(b"* OK [UIDNEXT 5] next is {5}\r\n") == Status(b"*", "OK", "UIDNEXT 5", "next is {5}")


async def test_a_tagged_answer() -> None:
    assert await read(b"m1 NO [AUTHENTICATIONFAILED] no\r\n") == Status(b"m1", "NO", "AUTHENTICATIONFAILED", "no")


async def test_a_text_for_people_cannot_move_the_cursor_of_a_terminal() -> None:
    status = await read(b"* OK \x1b[2J gone\r\n")
    assert isinstance(status, Status)
    assert status.text == "\\x1b[2J gone"


async def test_a_message_goes_to_a_spool_whatever_its_octets() -> None:
    raw = b"Subject: x\r\n\r\n) {4}\r\n* BYE\r\n\0\xff"
    [items] = await values(b"* 3 FETCH (UID 9 BODY[] {%d}\r\n%s FLAGS (\\Seen))\r\n" % (len(raw), raw))
    assert isinstance(items, list)
    message = items.pop(3)
    assert items == ["UID", "9", "BODY[]", "FLAGS", ["\\Seen"]]
    assert isinstance(message, Message)
    assert message.announced == len(raw)
    assert bytes(message.spool.octets()) == raw


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"* (\r\n",
        b"* LIST (\r\n",
        b"* LIST )\r\n",
        b'* LIST () "unfinished\r\n',
        b"m1 FETCH\r\n",
        b"* \r\n",
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"* LIST " + b"(" * (NESTING + 1) + b"\r\n",
    ],
)
async def test_what_is_no_response_is_refused(octets: bytes) -> None:
    with pytest.raises(NotUnderstood):
        await read(octets)


async def test_a_huge_literal_is_refused_before_its_octets_come() -> None:
    source = Memory(b"* LIST () NIL {%d}\r\n" % (LITERAL_BYTES + 1))
    with pytest.raises(NotUnderstood, match=str(LITERAL_BYTES + 1)):
        await read_response(source, Spool)


async def test_a_message_beyond_32_bits_is_refused_before_its_octets_come() -> None:
    with pytest.raises(NotUnderstood, match="99999999999"):
        await read(b"* 1 FETCH (BODY[] {99999999999}\r\n")


ATOMS = st.from_regex(r"[A-Z0-9\\$.][A-Za-z0-9.]{0,8}", fullmatch=True)
TEXTS = st.binary(max_size=20).filter(lambda octets: b"\r" not in octets and b"\n" not in octets)
VALUES = st.recursive(ATOMS | TEXTS, lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def written(value: str | bytes | list[Value], *, literal: bool) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        if literal:
            return b"{%d}\r\n%s" % (len(value), value)
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"(" + b" ".join(written(each, literal=literal) for each in value) + b")"  # type: ignore[arg-type]


@given(st.lists(VALUES, max_size=4), st.booleans())
async def test_values_are_read_as_they_were_written(given_values: list[Value], literal: bool) -> None:
    line = b" ".join(written(each, literal=literal) for each in given_values)  # type: ignore[arg-type]
    assert await values(b"* LIST " + line + b"\r\n") == given_values


@given(st.binary(max_size=200))
async def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        await read(b"* " + octets + b"\r\n")
    except NotUnderstood:
        pass
