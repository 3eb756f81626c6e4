"""Sessions with modified UTF-7 and with UTF-8 see the same mailboxes (RFC 9051 §5.1, RFC 9755 §3)."""

from __future__ import annotations

import binascii
import re
import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from tests.support.backend import open_world
from tests.support.memory import MemoryWorld
from tests.support.runner import PASSWORD, USER, Connection
from tests.support.transcript import parse

NAME = re.compile(rb'\* (?:LIST|LSUB) \([^)]*\) "/" |\* STATUS ')

TURKISH = "Pijamalı hasta yağız şoföre çabucak güvendi; " * 5
CONTROLS = ("Cc", "Cs", "Cn", "Zl", "Zp")

levels = st.text(st.characters(exclude_categories=CONTROLS, exclude_characters="/"), min_size=1, max_size=20)


def in_utf7(name: str) -> bytes:
    """*name* in modified UTF-7, without mektup's own code."""

    def shifted(match: re.Match[str]) -> str:
        coded = binascii.b2a_base64(match[0].encode("utf-16-be"), newline=False).rstrip(b"=").replace(b"/", b",")
        return f"&{coded.decode()}-"

    return re.sub(r"[^ -~]+", shifted, name.replace("&", "&-")).encode("ascii")


def quoted(octets: bytes) -> bytes:
    return b'"%b"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def names_in(responses: list[bytes]) -> list[bytes]:
    """The mailboxes that LIST, LSUB and STATUS responses name."""
    found = []
    for response in responses:
        if (start := NAME.match(response)) is None:
            continue
        rest = response[start.end() :]
        if literal := re.match(rb"\{(\d+)\}\r\n", rest):
            found.append(rest[literal.end() :][: int(literal[1])])
        elif rest.startswith(b'"'):
            string = re.match(rb'"((?:[^"\\]|\\.)*)"', rest)
            assert string is not None
            found.append(re.sub(rb"\\(.)", rb"\1", string[1]))
        else:
            found.append(rest.partition(b" ")[0])
    return found


class Client:
    """A session that writes names in one of the two encodings."""

    def __init__(self, connection: Connection, *, utf8: bool) -> None:
        self._connection = connection
        self._utf8 = utf8

    def spelled(self, name: str) -> bytes:
        return name.encode() if self._utf8 else in_utf7(name)

    async def ask(self, form: bytes, *names: str) -> list[bytes]:
        """The untagged responses to a command, in which each ``%b`` is a quoted name; it must succeed."""
        line = form % tuple(quoted(self.spelled(name)) for name in names)
        self._connection.wire.send(b"t " + line + b"\r\n")
        came: list[bytes] = []
        while (response := await self._connection.response()) is not None:
            if response.startswith(b"t "):
                assert response.startswith(b"t OK"), (line, response)
                return came
            came.append(response)
        raise AssertionError("closed")


async def logged_in(world: MemoryWorld, enable: bytes | None) -> Client:
    connection = Connection(await world.connect("imap"), literals=True)
    await connection.response()
    client = Client(connection, utf8=enable is not None)
    await client.ask(b"LOGIN %b %b" % (USER.encode(), PASSWORD.encode()))
    if enable is not None:
        await client.ask(b"ENABLE " + enable)
    return client


@given(levels, levels)
@example("&", "%")
@example("*", '"')
@example("\\", '\\"&-%*')
@example("🪡", "👩\u200d👩\u200d👧\u200d👦")
@example(TURKISH[:200], "İIıi")
@example("e\u0301", "\u212b")
@example("~{1}", "{1}")
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("enable", [b"UTF8=ACCEPT", b"IMAP4rev2"])
async def test_each_session_sees_the_names_of_the_other(enable: bytes, first: str, second: str) -> None:
    old, new = f"a{first}", f"b{second}"
    world = await open_world(parse("RFC 9051 §5.1: names\n\nC: x"), None, by_octet=False)
    try:
        by_7, by_8 = await logged_in(world, None), await logged_in(world, enable)
        for writer, reader in ((by_7, by_8), (by_8, by_7)):
            made, renamed = unicodedata.normalize("NFC", old), unicodedata.normalize("NFC", new)
            await writer.ask(b"CREATE %b", old)
            await writer.ask(b"SUBSCRIBE %b", unicodedata.normalize("NFD", old))
            for client in (writer, reader):
                assert client.spelled(made) in names_in(await client.ask(b'LIST "" "*"'))
                assert client.spelled(made) in names_in(await client.ask(b'LSUB "" "*"'))
                # in another normal form it is the same mailbox
                for form in ("NFC", "NFD"):
                    answer = await client.ask(b"STATUS %b (MESSAGES)", unicodedata.normalize(form, old))
                    assert names_in(answer)[-1:] == [client.spelled(made)]
            await reader.ask(b"RENAME %b %b", old, new)
            for client in (writer, reader):
                there = names_in(await client.ask(b'LIST "" "*"'))
                assert client.spelled(renamed) in there
                assert client.spelled(made) not in there
                await client.ask(b"EXAMINE %b", new)
                await client.ask(b"UNSELECT")
            await reader.ask(b"DELETE %b", new)
            await reader.ask(b"UNSUBSCRIBE %b", old)
    finally:
        await world.close()
