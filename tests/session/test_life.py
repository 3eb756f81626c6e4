"""The life that sessions of all protocols share, tested with a toy protocol: LOGIN, FAIL, BREAK, BYE and echo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import pytest

from mektup.session.life import Ending
from mektup.session.line_session import LineSession
from mektup.session.services import Services
from mektup.terms.durations import UNTIMED
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.log_rules import LogRules
from mektup.terms.peer import Peer
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


class Toy(LineSession):
    protocol = "toy"

    def greet(self) -> None:
        self._say("hello")

    def command(self, line: bytes) -> tuple[str, Awaitable[None]]:
        if line == b"WHAT":
            raise ClientError("what?")
        return "TOY", self._run(line)

    def complain(self, mistake: ClientError) -> None:
        self._say(f"bad {mistake}")

    def refuse(self, refusal: Refused) -> None:
        self._say(f"no {refusal}")

    def throw_out(self, text: str) -> None:
        self._say(f"out {text}")
        self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        self._say(f"bye {silence}")

    async def _run(self, line: bytes) -> None:
        match line:
            case b"LOGIN" | b"STUCK":
                entry = await self.services.store.directory.find("linda")
                assert entry is not None
                with self.entering(entry):
                    if line == b"STUCK":
                        raise Refused(Code.UNAVAILABLE, "the mail cannot be opened")
            case b"FAIL":
                refusal = Refused(Code.AUTHENTICATIONFAILED, "wrong")
                self.count_login_failure(refusal, "TOY", b"linda")
                raise refusal
            case b"BREAK":
                raise ZeroDivisionError
            case b"BYE":
                self.ending = Ending.LOGOUT
        self._say(line.decode())

    def _say(self, text: str) -> None:
        self.peer.write(text.encode() + b"\r\n")


class Talk(Dialogue):
    """A dialogue with a Toy."""

    def __init__(self, services: Services) -> None:
        super().__init__(self._begin, services)

    def _begin(self, peer: Peer, services: Services) -> Toy:
        self.session = Toy(peer, services)
        return self.session

    async def __aenter__(self) -> Talk:
        await super().__aenter__()
        assert await self.line() == b"hello"
        return self


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as given:
        yield given


async def test_a_stranger_has_to_log_in_in_time(given: Given) -> None:
    async with Talk(given.limited(login_seconds=20.0)) as client:
        await client.taken()
        client.clock.advance(20.0)
        assert await client.rest() == b"bye Idle for too long\r\n"
    assert client.session.ending is Ending.TIMED_OUT


async def test_after_the_login_a_client_may_be_idle(given: Given) -> None:
    async with Talk(given.limited(login_seconds=20.0, idle_seconds=1800.0)) as client:
        assert await client.ask(b"LOGIN") == b"LOGIN"
        await client.taken()
        client.clock.advance(1799.0)
        assert await client.ask(b"x") == b"x"
        await client.taken()
        client.clock.advance(1800.0)
        assert await client.rest() == b"bye Idle for too long\r\n"


async def test_a_server_that_stops_ends_the_session_between_two_commands(given: Given) -> None:
    async with Talk(given.services) as client:
        client.send(b"x\r\ny\r\n")
        client.peer.stop()
        assert await client.rest() == b"bye The server is shutting down\r\n"
    assert client.session.ending is Ending.TIMED_OUT


async def test_nothing_is_sent_to_a_client_that_has_disconnected(given: Given) -> None:
    async with Talk(given.services) as client:
        client.peer.end()
        assert await client.rest() == b""
    assert client.session.ending is Ending.GONE


async def test_a_client_that_is_gone_at_the_farewell(given: Given) -> None:
    async with Talk(given.services) as client:
        session = client.session
        client.peer.end()
        await client.rest()
        await session.part(TimedOut())
        assert session.ending is Ending.GONE
        await session.part(Disconnected())
        assert session.ending is Ending.GONE


async def test_the_client_says_goodbye(given: Given) -> None:
    async with Talk(given.services) as client:
        client.send(b"BYE\r\nx\r\n")
        assert await client.rest() == b"BYE\r\n"
    assert client.session.ending is Ending.LOGOUT


async def test_mistakes_are_counted_and_a_login_forgets_them(given: Given) -> None:
    async with Talk(given.limited(login_bad_commands=3, bad_commands=3)) as client:
        client.send(b"WHAT\r\nWHAT\r\nLOGIN\r\nWHAT\r\nWHAT\r\nx\r\nWHAT\r\nx\r\n")
        bad = b"bad what?\r\n"
        out = b"out Too many commands that are no toy\r\n"
        assert await client.rest() == bad * 2 + b"LOGIN\r\n" + bad * 2 + b"x\r\n" + bad + out
    assert client.session.ending is Ending.THROWN_OUT


async def test_failed_logins_are_logged_and_counted(given: Given) -> None:
    async with Talk(given.limited(login_failures=2)) as client:
        client.send(b"FAIL\r\nFAIL\r\nx\r\n")
        assert await client.rest() == b"no wrong\r\nout Too many failed logins\r\nno wrong\r\n"
    assert given.events == ["auth_failed", "auth_failed"]
    assert given.capture.entries[0]["mech"] == "TOY"


async def test_an_error_of_ours_is_logged_and_the_session_goes_on(given: Given) -> None:
    async with Talk(given.services) as client:
        assert await client.ask(b"BREAK") == b"no Internal error, session s1"
        assert await client.ask(b"LOGIN") == b"LOGIN"
        assert await client.ask(b"BREAK") == b"no Internal error, session s1"
    failures = [entry for entry in given.capture.entries if entry["event"] == "command_failed"]
    # what came before the login could be a password
    assert [(entry["user"], entry.get("verb")) for entry in failures] == [(None, None), ("linda", "TOY")]
    assert given.services.tally.bugs == 2


async def test_a_session_takes_a_place_among_those_of_its_account(given: Given) -> None:
    entry = await given.services.store.directory.find("linda")
    assert entry is not None
    places = given.services.authenticator.connections
    async with Talk(given.services) as client:
        assert await client.ask(b"STUCK") == b"no the mail cannot be opened"
        assert (places.count(entry.id), client.session.is_stranger, client.session.user) == (0, True, None)
        assert await client.ask(b"LOGIN") == b"LOGIN"
        assert (places.count(entry.id), client.session.is_stranger, client.session.user) == (1, False, "linda")
    assert places.count(entry.id) == 0
    assert given.events == ["refused", "login"]


async def test_a_slow_command_is_logged_and_counted(given: Given) -> None:
    slow = replace(given.services, log_rules=LogRules(slow_command_seconds=1e-9))
    async with Talk(slow) as client:
        await client.ask(b"x")
        assert given.events == []  # nobody has logged in, and refused logins are slow on purpose
        await client.ask(b"LOGIN")
        await client.ask(b"my secret")
    (entry,) = [entry for entry in given.capture.entries if entry["event"] == "slow_command"][1:]
    assert (entry["command"], entry["user"], entry["said"]) == ("TOY", "linda", "")
    assert entry["seconds"] >= entry["client_seconds"] >= 0
    assert slow.tally.slow_commands == 2


async def test_time_in_which_the_client_is_awaited_is_not_slow(given: Given) -> None:
    async with Talk(replace(given.services, log_rules=LogRules(slow_command_seconds=1.0))) as client:
        await client.ask(b"LOGIN")
        client.session.peer.waited = 5.0
        client.session.count_duration("TOY", 5.5, b"")
        assert client.session.peer.waited == 0.0
        client.session.count_duration("TOY", 5.5, b"")
    assert given.events == ["login", "slow_command"]


async def test_no_command_is_slow_if_that_is_switched_off(given: Given) -> None:
    async with Talk(replace(given.services, log_rules=LogRules(slow_command_seconds=0))) as client:
        await client.ask(b"LOGIN")
        client.session.count_duration("TOY", 1e6, b"")
    assert given.events == ["login"]


async def test_commands_are_counted_and_timed(given: Given) -> None:
    async with Talk(given.services) as client:
        await client.ask(b"x")
        await client.ask(b"WHAT")
    tally = given.services.tally
    assert (client.session.commands, tally.mistakes) == (2, 1)
    assert sum(tally.durations["TOY"][:UNTIMED]) == 1
