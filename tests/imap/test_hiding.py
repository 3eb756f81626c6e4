"""What an operator hides is neither announced nor usable; everything else stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mektup.imap import hiding
from mektup.imap.capabilities import CAPABILITIES
from mektup.imap.session import ImapSession
from mektup.imap.table import TABLE
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services

OF_IMAP4REV1 = frozenset(
    {
        *("CAPABILITY", "NOOP", "LOGOUT", "AUTHENTICATE", "LOGIN", "SELECT", "CREATE", "DELETE", "RENAME", "SUBSCRIBE"),
        *("UNSUBSCRIBE", "LIST", "LSUB", "STATUS", "APPEND", "CHECK", "CLOSE", "SEARCH", "FETCH", "STORE", "COPY"),
    }
)
"""The commands of RFC 3501. STARTTLS is one, too, but not announced where it cannot be used."""


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


def test_every_command_of_an_extension_can_be_hidden() -> None:
    """A command that is new has its capability in ``hiding``."""
    everything = frozenset(name.upper() for name in hiding.known_names())
    alone = {row.name for row in TABLE.values() if not hiding.needs_of(row.name) & everything}
    assert alone - {"EXPUNGE"} == OF_IMAP4REV1


def test_each_name_can_be_hidden_in_any_case() -> None:
    for name in hiding.known_names():
        assert hiding.checked([name.lower()]) == {name.upper()}
    assert {row.name.upper() for row in CAPABILITIES} - {name.upper() for name in hiding.known_names()} == set(
        hiding.NEVER_HIDDEN
    )


@pytest.mark.parametrize("name", ["IMAP4rev1", "LOGINDISABLED", "AUTH", "AUTH=CRAM-MD5", "APPENDLIMIT=1", "", "X"])
def test_other_names_cannot(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}$"):
        hiding.checked([name])


@pytest.mark.parametrize(
    ("hidden", "gone"),
    [
        ("QUOTA", {b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE", b"QUOTA=RES-MAILBOX", b"QUOTASET"}),
        ("ACL", {b"RIGHTS=kxte", b"LIST-MYRIGHTS"}),
        ("SORT", {b"SORT=DISPLAY", b"ESORT", b"CONTEXT=SORT"}),
        ("ENABLE", {b"QRESYNC", b"UIDONLY", b"UTF8=ACCEPT"}),
        ("METADATA METADATA-SERVER", {b"LIST-METADATA", b"FILTERS"}),
    ],
)
async def test_what_needs_a_hidden_capability_is_not_announced(given: Given, hidden: str, gone: set[bytes]) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        assert gone <= set((await client.ask(b"a LOGIN linda Pa$$123")).replace(b"]", b" ").split())
    async with Dialogue(ImapSession, replace(given.services, hidden=frozenset(hidden.split()))) as client:
        await client.line()
        answer = (await client.ask(b"a LOGIN linda Pa$$123")).replace(b"]", b" ").split()
        assert not gone & set(answer)
        assert b"CHILDREN" in answer


def test_parts_are_names_of_capabilities() -> None:
    known = {name.upper() for name in hiding.known_names()}
    for name in known:
        assert hiding.with_consequences(frozenset({name})) <= known


async def test_the_account_hides_more_after_the_login(given: Given) -> None:
    await given.services.store.directory.set_hidden("linda", ["MOVE", "A-NAME-OF-THE-FUTURE"])
    await given.add("fred")
    services = replace(given.services, hidden=frozenset({"ID"}))
    async with Dialogue(ImapSession, services) as client:
        greeting = (await client.line()).split()
        assert b"ID" not in greeting
        assert b"MOVE" in greeting
        answer = (await client.ask(b"a LOGIN linda Pa$$123")).split()
        assert not {b"ID", b"MOVE", b"IMAP4rev2"} & set(answer)
        assert await client.ask(b"b MOVE 1 Trash") == b"b BAD Unknown command at column 3"
        await client.ask(b"c UNAUTHENTICATE")
        answer = (await client.ask(b"d LOGIN fred Pa$$123")).split()
        assert {b"MOVE", b"IMAP4rev2"} <= set(answer)
        assert b"ID" not in answer


async def test_an_unknown_command_looks_the_same(given: Given) -> None:
    services = replace(given.services, hidden=frozenset({"IDLE"}))
    async with Dialogue(ImapSession, services) as client:
        await client.line()
        for state in (b"NOOP", b"LOGIN linda Pa$$123", b"SELECT INBOX"):
            client.send(b"x " + state + b"\r\n")
            await client.until(b"\r\nx OK" if state.startswith(b"SELECT") else b"x OK")
            await client.line()
            hidden, unknown = [await client.ask(b"tag " + word) for word in (b"IDLE", b"XYZZY")]
            assert hidden == unknown
