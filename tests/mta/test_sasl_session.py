"""An SMTP server asks who may log in: the handshake, every kind of answer, and what a hostile client can do."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from scramp import ScramClient

from mektup.auth.authenticator import Authenticator
from mektup.auth.gate import Gate
from mektup.auth.plaintext import Plaintext
from mektup.mta.masking import tell_command
from mektup.mta.sasl_session import SaslSession
from mektup.session.services import Services
from tests.pop3.test_masking import Recorder
from tests.support.dialogue import Dialogue
from tests.support.services import LIMITS, Given

PLAIN = b64encode(b"\0linda\0Pa$$123")
WRONG = b64encode(b"\0linda\0wrong")
FROM = b"service=smtp\tnologin\tlip=192.0.2.1\trip=192.0.2.7\tsecured"


class Smtp(Dialogue):
    """The SMTP server's end."""

    def __init__(self, services: Services, *, by_octet: bool = False) -> None:
        super().__init__(SaslSession, services, by_octet=by_octet)

    async def handshake(self) -> list[bytes]:
        """The server's handshake, after ours."""
        self.send(b"VERSION\t1\t0\nCPID\t77\n")
        return (await self.until(b"DONE\n")).split(b"\n")

    async def ask(self, line: bytes) -> bytes:
        self.send(line + b"\n")
        return await self.line()

    async def line(self) -> bytes:
        return (await self.until(b"\n")).removesuffix(b"\n")


def events(given: Given, event: str) -> list[dict[str, object]]:
    return [dict(entry) for entry in given.capture.entries if entry["event"] == event]


async def test_the_handshake(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        lines = await smtp.handshake()
    assert lines[0] == b"VERSION\t1\t2"
    assert lines[1:4] == [b"MECH\tSCRAM-SHA-256\tmutual-auth", b"MECH\tPLAIN\tplaintext", b"MECH\tLOGIN\tplaintext"]
    assert re.fullmatch(rb"SPID\t\d+\nCUID\t\d+\nCOOKIE\t[0-9a-f]{32}\nDONE\n", b"\n".join(lines[4:]))


async def test_the_server_may_speak_first(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.until(b"DONE\n")
        smtp.send(b"VERSION\t1\t1\nCPID\t77\n")
        assert await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t1\tuser=linda"


@pytest.mark.parametrize("by_octet", [False, True])
async def test_plain(given: Given, by_octet: bool) -> None:
    async with Smtp(given.services, by_octet=by_octet) as smtp:
        await smtp.handshake()
        assert await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t1\tuser=linda"
        assert await smtp.ask(b"AUTH\t2\tPLAIN\t" + FROM) == b"CONT\t2\t"
        assert await smtp.ask(b"CONT\t2\t" + PLAIN) == b"OK\t2\tuser=linda"
        refused = await smtp.ask(b"AUTH\t3\tPLAIN\t" + FROM + b"\tresp=" + WRONG)
        assert refused == b"FAIL\t3\tuser=linda\treason=Wrong name or password"
        assert await smtp.ask(b"AUTH\t4\tplain\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t4\tuser=linda"
    assert given.services.tally.logins == 3
    assert given.services.tally.refused_logins == {"wrong": 1}


async def test_login(given: Given) -> None:
    name, password = b64encode(b"LINDA"), b64encode(b"Pa$$123")
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        assert await smtp.ask(b"AUTH\t1\tLOGIN\t" + FROM) == b"CONT\t1\t" + b64encode(b"Username:")
        assert await smtp.ask(b"CONT\t1\t" + name) == b"CONT\t1\t" + b64encode(b"Password:")
        assert await smtp.ask(b"CONT\t1\t" + password) == b"OK\t1\tuser=linda"
        assert await smtp.ask(b"AUTH\t2\tLOGIN\t" + FROM + b"\tresp=" + name) == b"CONT\t2\t" + b64encode(b"Password:")


async def test_scram(given: Given) -> None:
    for password, expected in (("Pa$$123", b"OK\t1\tuser=linda"), ("wrong", b"FAIL\t1\tuser=linda\treason=")):
        client = ScramClient(["SCRAM-SHA-256"], "linda", password)
        async with Smtp(given.services) as smtp:
            await smtp.handshake()
            first = b64encode(client.get_client_first().encode())
            challenge = await smtp.ask(b"AUTH\t1\tSCRAM-SHA-256\t" + FROM + b"\tresp=" + first)
            client.set_server_first(_decoded(challenge))
            answer = await smtp.ask(b"CONT\t1\t" + b64encode(client.get_client_final().encode()))
            if answer.startswith(b"CONT"):
                client.set_server_final(_decoded(answer))
                answer = await smtp.ask(b"CONT\t1\t")
            assert answer.startswith(expected)


def _decoded(line: bytes) -> str:
    word, number, challenge = line.split(b"\t")
    assert (word, number) == (b"CONT", b"1")
    return b64decode(challenge).decode()


async def test_several_logins_of_a_connection_do_not_mix(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        for number in (b"1", b"2"):
            await smtp.ask(b"AUTH\t" + number + b"\tLOGIN\t" + FROM + b"\tresp=" + b64encode(b"linda"))
        assert (
            await smtp.ask(b"CONT\t2\t" + b64encode(b"wrong")) == b"FAIL\t2\tuser=linda\treason=Wrong name or password"
        )
        assert await smtp.ask(b"CONT\t1\t" + b64encode(b"Pa$$123")) == b"OK\t1\tuser=linda"


async def test_the_log_and_the_throttle_know_the_client_of_the_smtp_server(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + WRONG)
        await smtp.ask(b"AUTH\t2\tPLAIN\tservice=smtp\trip=::ffff:198.51.100.9\tsecured\tresp=" + PLAIN)
    (failed,), (login,) = events(given, "auth_failed"), events(given, "login")
    assert (failed["address"], failed["ip"], failed["user"], failed["mech"]) == (
        "192.0.2.7",
        "192.0.2.7",
        "linda",
        "PLAIN",
    )
    assert (login["address"], login["user"], login["mech"]) == ("198.51.100.9", "linda", "PLAIN")
    assert "Pa$$123" not in str(given.capture.entries)
    assert "wrong" not in str([{**entry, "reason": ""} for entry in given.capture.entries])


@pytest.mark.parametrize(
    ("plaintext", "where", "may"),
    [
        (Plaintext.LOOPBACK, b"rip=192.0.2.7", False),
        (Plaintext.LOOPBACK, b"rip=192.0.2.7\tsecured", True),
        (Plaintext.LOOPBACK, b"rip=192.0.2.7\tsecured=tls", True),
        (Plaintext.LOOPBACK, b"rip=127.0.0.1", True),
        (Plaintext.LOOPBACK, b"rip=::1", True),
        (Plaintext.LOOPBACK, b"nologin", True),
        (Plaintext.NEVER, b"rip=127.0.0.1", False),
        (Plaintext.ALWAYS, b"rip=192.0.2.7", True),
    ],
)
async def test_a_password_may_cross_only_where_it_may_in_imap(
    given: Given, plaintext: Plaintext, where: bytes, may: bool
) -> None:
    authenticator = Authenticator(given.services.store.directory, LIMITS, plaintext=plaintext)
    async with Smtp(replace(given.services, authenticator=authenticator)) as smtp:
        assert b"MECH\tPLAIN\tplaintext" in await smtp.handshake()
        answer = await smtp.ask(b"AUTH\t1\tPLAIN\tservice=smtp\t" + where + b"\tresp=" + PLAIN)
        assert answer.startswith(b"OK\t1\t" if may else b"FAIL\t1\treason=")
    assert given.services.tally.refused_logins == ({} if may else {"not encrypted": 1})


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=AGEAYg", b"FAIL\t1\treason=Expected base64"),
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=!!", b"FAIL\t1\treason=Expected base64"),
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp==", b"FAIL\t1\treason="),
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=", b"FAIL\t1\treason="),
        (b"AUTH\t1\tGSSAPI\t" + FROM, b"FAIL\t1\treason="),
        (b"AUTH\t1\tSCRAM-SHA-256-PLUS\t" + FROM, b"FAIL\t1\treason="),
        (b"AUTH\t1\tEXTERNAL\t" + FROM + b"\tresp==", b"FAIL\t1\treason="),
        (b"AUTH\t1\tPLAIN\tservice=imap\tresp=" + PLAIN, b"FAIL\t1\treason=Only logins for service=smtp"),
        (b"AUTH\t1\tPLAIN\tresp=" + PLAIN, b"FAIL\t1\treason=Only logins for service=smtp"),
        (b"AUTH\t1\tPLAIN\tservice=smtp\trip=nowhere\tresp=" + PLAIN, b"FAIL\t1\treason=Expected an IP address"),
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + b64encode(b"ada\0linda\0Pa$$123"), b"FAIL\t1\tuser=linda\treason="),
        (b"CONT\t9\t" + PLAIN, b"FAIL\t9\treason=The login took too long"),
    ],
)
async def test_a_login_that_fails_does_not_end_the_connection(given: Given, line: bytes, answer: bytes) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        assert (await smtp.ask(line)).startswith(answer)
        assert await smtp.ask(b"AUTH\t2\tPLAIN\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t2\tuser=linda"


async def test_another_identity_is_an_authorization_that_fails(given: Given) -> None:
    await given.add("ada")
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        answer = await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + b64encode(b"ada\0linda\0Pa$$123"))
        assert answer.endswith(b"\tauthz")


async def test_a_failure_of_ours_is_temporary(given: Given) -> None:
    await given.services.store.close()
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        answer = await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + PLAIN)
        assert answer.startswith(b"FAIL\t1\tuser=linda\treason=")
        assert answer.endswith(b"\ttemp\tcode=temp_fail")


async def test_an_error_of_ours_is_logged_without_the_password(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Gate, name: bytes, password: bytes, address: str) -> None:
        raise RuntimeError(f"{name!r} {password!r}")

    monkeypatch.setattr(Gate, "check_password", broken)
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        answer = await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + PLAIN)
        assert answer.startswith(b"FAIL\t1\tuser=linda\treason=Internal error")
        assert answer.endswith(b"\ttemp\tcode=temp_fail")
        monkeypatch.undo()
        assert await smtp.ask(b"AUTH\t2\tPLAIN\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t2\tuser=linda"
    (failed,) = events(given, "command_failed")
    assert "RuntimeError" in repr(failed["exc_info"])
    assert "Pa$$123" not in repr(failed) + str(failed["exc_info"])
    assert given.services.tally.bugs == 1


async def test_a_name_that_would_end_a_value_is_escaped(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        answer = await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + b64encode(b"\0a\tOK\n\x01\0x"))
        assert answer == b"FAIL\t1\tuser=a\x01tOK\x01n\x011\treason=Wrong name or password"


async def test_a_cancelled_login_is_forgotten(given: Given) -> None:
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        assert await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM) == b"CONT\t1\t"
        smtp.send(b"CANCEL\t1\nCANCEL\t5\n")
        assert await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM) == b"CONT\t1\t"
        assert await smtp.ask(b"CONT\t1\t*") == b"FAIL\t1\treason=Cancelled"


async def test_logins_that_their_clients_left_are_bounded(given: Given) -> None:
    async with Smtp(given.limited(sasl_requests=3)) as smtp:
        await smtp.handshake()
        for number in (b"1", b"2", b"3"):
            assert await smtp.ask(b"AUTH\t" + number + b"\tPLAIN\t" + FROM) == b"CONT\t" + number + b"\t"
        smtp.send(b"AUTH\t4\tPLAIN\t" + FROM + b"\n")
        assert await smtp.line() == b"FAIL\t1\treason=The login took too long\ttemp"
        assert await smtp.line() == b"CONT\t4\t"
        assert await smtp.ask(b"CONT\t2\t" + PLAIN) == b"OK\t2\tuser=linda"


async def test_a_login_that_takes_too_long_is_forgotten(given: Given) -> None:
    async with Smtp(given.limited(login_seconds=0.000001)) as smtp:
        await smtp.handshake()
        assert await smtp.ask(b"AUTH\t1\tPLAIN\t" + FROM) == b"CONT\t1\t"
        smtp.send(b"CONT\t1\t" + PLAIN + b"\n")
        assert await smtp.line() == b"FAIL\t1\treason=The login took too long\ttemp"


@pytest.mark.parametrize(
    "lines",
    [
        b"VERSION\t2\t0\n",
        b"AUTH\t1\tPLAIN\tservice=smtp\tresp=" + PLAIN + b"\n",
        b"VERSION\t1\t0\nAUTH\t1\tPLAIN\tservice=smtp\tresp=" + PLAIN + b"\n",
        b"CPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\tresp=" + PLAIN + b"\n",
        b"VERSION\t1\t0\nCPID\t1\nUSER\t1\tlinda\n",
        b"VERSION\t1\t0\nCPID\t1\nREQUEST\t1\t1\t1\tcookie\n",
        b"VERSION\t1\t0\nCPID\t1\nAUTH\t1\tPLAIN\t" + FROM + b"\nAUTH\t1\tPLAIN\t" + FROM + b"\n",
        b"EHLO there\r\n",
        b"\0\xff\n",
        b"x" * 20_000 + b"\n",
        b"x" * 20_000,
    ],
)
async def test_who_does_not_speak_the_protocol_is_cut_off(given: Given, lines: bytes) -> None:
    async with Smtp(given.services) as smtp:
        smtp.send(lines)
        assert b"\nOK\t" not in await smtp.rest()
    assert given.services.tally.mistakes == 1


async def test_many_failed_logins_do_not_cut_off_the_smtp_server(given: Given) -> None:
    """They come from its clients, who may be many."""
    async with Smtp(given.services) as smtp:
        await smtp.handshake()
        for number in range(6):
            line = f"AUTH\t{number}\tPLAIN\tservice=smtp\trip=192.0.2.{number}\tsecured\tresp=".encode() + WRONG
            assert (await smtp.ask(line)).startswith(b"FAIL")
        assert await smtp.ask(b"AUTH\t20\tPLAIN\t" + FROM + b"\tresp=" + PLAIN) == b"OK\t20\tuser=linda"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"VERSION\t1\t1", b"VERSION\t1\t1"),
        (b"CPID\t5", b"CPID\t5"),
        (b"AUTH\t1\tPLAIN\t" + FROM + b"\tresp=" + PLAIN, b"AUTH\t1\tPLAIN\t" + FROM + b"\t***"),
        (b"AUTH\t1\tPLAIN\t" + FROM, b"AUTH\t1\tPLAIN\t" + FROM),
        (b"AUTH\t1\tPLAIN\tpass=secret\t" + FROM, b"AUTH\t1\tPLAIN\t***"),
        (b"CONT\t1\t" + PLAIN, b"CONT\t1\t***"),
        (b"CONT\t1", b"CONT\t1"),
        (b"CONT\tsecret", None),
        (b"Pa$$123", None),
    ],
)
def test_a_trace_shows_no_secret(line: bytes, shown: bytes | None) -> None:
    recorder = Recorder()
    tell_command(recorder, line)
    assert recorder.shown == [shown]
