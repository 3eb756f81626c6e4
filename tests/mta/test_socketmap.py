"""Postfix looks up addresses and domains."""

from __future__ import annotations

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from mektup.mta.netstrings import NetstringBuffer, netstring
from mektup.mta.socketmap import SocketmapSession
from mektup.terms.errors import ClientError
from tests.support.dialogue import Dialogue
from tests.support.services import Given


class Postfix(Dialogue):
    """The other end."""

    def __init__(self, given: Given, **limits: int) -> None:
        super().__init__(SocketmapSession, given.limited(**limits) if limits else given.services)

    async def look_up(self, request: str | bytes) -> str:
        self.send(netstring(request if isinstance(request, bytes) else request.encode()))
        size = int((await self.until(b":"))[:-1])
        answer = b""
        while len(answer) <= size:
            answer += await self.until(b",")
        assert len(answer) == size + 1
        return answer[:-1].decode()


@pytest.fixture
async def family(given: Given) -> Given:
    await given.add("ada@example.org")
    await given.add("lin da, x")
    addresses = given.services.store.addresses
    for domain in ("example.org", "bücher.example"):
        await addresses.add_domain(domain)
    await addresses.add_alias("info@example.org", ["linda", "ada@example.org"])
    await addresses.add_alias("odd@example.org", ["linda", "lin da, x"])
    return given


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("domains example.org", "OK example.org"),
        ("domains Example.ORG", "OK example.org"),
        ("domains xn--bcher-kva.example", "OK bücher.example"),
        ("domains example.com", "NOTFOUND "),
        ("domains .example.org", "NOTFOUND "),
        ("domains ", "NOTFOUND "),
        ("recipients linda@example.org", "OK linda"),
        ("recipients linda+lists@example.org", "OK linda"),
        ("recipients INFO@example.org", "OK ada@example.org linda"),
        ("recipients nobody@example.org", "NOTFOUND "),
        ("recipients linda@example.com", "NOTFOUND "),
        ("recipients @example.org", "NOTFOUND "),
        ("recipients postmaster", "NOTFOUND "),
        ("recipients linda", "OK linda"),
        ("recipients a b@example.org", "NOTFOUND "),
        ("recipients ", "NOTFOUND "),
        ("recipients", "NOTFOUND "),
        (b"recipients \xff@example.org", "NOTFOUND "),
        ("senders linda@bücher.example", "OK linda"),
        ("senders info@example.org", "OK ada@example.org,linda"),
        ("senders odd@example.org", "OK linda"),
        ("senders linda@example.com", "NOTFOUND "),
        ("passwords linda", "PERM There is no map 'passwords'; there are domains, recipients, senders"),
        ("", "PERM There is no map ''; there are domains, recipients, senders"),
    ],
)
async def test_look_ups(family: Given, request_: str | bytes, answer: str) -> None:
    async with Postfix(family) as postfix:
        assert await postfix.look_up(request_) == answer
        assert await postfix.look_up("domains example.org") == "OK example.org"


async def test_without_domains_none_is_ours(given: Given) -> None:
    """Otherwise Postfix would take mail for the whole world as ours."""
    async with Postfix(given) as postfix:
        assert await postfix.look_up("domains example.org") == "NOTFOUND "
        assert await postfix.look_up("recipients linda@example.org") == "OK linda"


async def test_a_catch_all_takes_every_address(family: Given) -> None:
    await family.services.store.addresses.add_alias("@example.org", ["linda"])
    async with Postfix(family) as postfix:
        assert await postfix.look_up("recipients nobody@example.org") == "OK linda"
        assert await postfix.look_up("recipients @example.org") == "OK linda"


async def test_a_change_counts_at_once(family: Given) -> None:
    async with Postfix(family) as postfix:
        assert await postfix.look_up("recipients new@example.org") == "NOTFOUND "
        await family.add("new@example.org")
        assert await postfix.look_up("recipients new@example.org") == "OK new@example.org"
        await family.services.store.directory.remove("new@example.org")
        assert await postfix.look_up("recipients new@example.org") == "NOTFOUND "


async def test_what_cannot_be_read_now_is_asked_again(family: Given) -> None:
    await family.services.store.close()
    async with Postfix(family) as postfix:
        assert (await postfix.look_up("recipients linda@example.org")).startswith("TEMP ")


@pytest.mark.parametrize(
    "octets",
    [b"x", b"-1:,", b"3:abcd", b"99999999999", b"9999999999:", b":,", b"1 :a,", b"8193:" + b"a" * 9000, b"\xd9\xa1:a,"],
)
async def test_what_is_no_netstring_ends_the_session(family: Given, octets: bytes) -> None:
    async with Postfix(family) as postfix:
        postfix.send(octets)
        assert await postfix.rest() == b""
    assert family.services.tally.mistakes == 1


async def test_a_client_that_asks_for_nothing_that_exists_is_cut_off(family: Given) -> None:
    async with Postfix(family, bad_commands=3) as postfix:
        postfix.send(netstring(b"nothing here") * 10)
        assert (await postfix.rest()).count(b"PERM") == 3


async def test_the_longest_request(family: Given) -> None:
    async with Postfix(family, login_line_bytes=100) as postfix:
        assert await postfix.look_up("recipients " + "a" * 89) == "NOTFOUND "
        postfix.send(netstring(b"recipients " + b"a" * 90))
        assert await postfix.rest() == b""


@drawn(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 7))
def test_netstrings_survive_in_pieces(strings: list[bytes], piece: int) -> None:
    octets, buffer, found = b"".join(map(netstring, strings)), NetstringBuffer(50), []
    for start in range(0, len(octets), piece):
        buffer.feed(octets[start : start + piece])
        while (string := buffer.next()) is not None:
            found.append(string)
    assert found == strings


@drawn(st.binary(max_size=100))
def test_no_octets_are_too_much(octets: bytes) -> None:
    buffer = NetstringBuffer(20)
    buffer.feed(octets)
    try:
        while buffer.next() is not None:
            pass
    except ClientError:
        pass
