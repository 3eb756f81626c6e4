"""POP3 end to end in memory: tests that transcripts cannot show, or not at this size."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

import pytest
from scramp import ScramClient

from mektup.pop3.session import Pop3Session
from mektup.store.interface import Account
from mektup.terms.flags import FlagChange
from mektup.terms.sets import Uids
from tests.support.dialogue import Dialogue
from tests.support.passwords import quick_secrets
from tests.support.services import Given, append, flags, messages, remove_first

RAW = b"From: ada@example.org\r\nSubject: dinner\r\n\r\nat eight\r\n"


async def _login(client: Dialogue) -> bytes:
    assert (await client.line()).startswith(b"+OK mektup")
    assert (await client.ask(b"USER linda")).startswith(b"+OK")
    return await client.ask(b"PASS Pa$$123")


async def _multi(client: Dialogue, command: bytes) -> bytes:
    """The part of a multi-line response between its first line and its end."""
    assert (await client.ask(command)).startswith(b"+OK")
    return (b"\r\n" + await client.until(b"\r\n.\r\n")).removesuffix(b".\r\n").removeprefix(b"\r\n")


async def _fill(account: Account, count: int) -> list[bytes]:
    raws = [b"Subject: message %d\r\n\r\nThis is %d.\r\n" % (number, number) for number in range(1, count + 1)]
    for raw in raws:
        await append(account, raw)
    return raws


@pytest.mark.parametrize("by_octet", [False, True])
async def test_messages_come_back_octet_for_octet(given: Given, by_octet: bool) -> None:
    raw = RAW + b".\r\n..\r\nlone CR \r, 8 bit \xe4\xff, NUL \0\r\n\r\n"
    await append(await given.account(), raw)
    async with Dialogue(Pop3Session, given.services, by_octet=by_octet) as client:
        assert b"1 message (%d octets)" % len(raw) in await _login(client)
        assert await client.ask(b"LIST 1") == b"+OK 1 %d" % len(raw)
        got = await _multi(client, b"RETR 1")
    assert (b"\r\n" + got).replace(b"\r\n.", b"\r\n")[2:] == raw


@pytest.mark.parametrize("extra", [0, 1, 3_000_000])
async def test_large_messages_stream(given: Given, extra: int) -> None:
    line = b".23456789\r\n"
    raw = b"Subject: large\r\n\r\n" + line * (256 * 1024 // len(line)) + b"x" * extra + b"\r\n"
    await append(await given.account(), raw)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        got = await _multi(client, b"RETR 1")
        assert (b"\r\n" + got).replace(b"\r\n.", b"\r\n")[2:] == raw
        assert await _multi(client, b"TOP 1 2") == b"Subject: large\r\n\r\n" + (b"." + line) * 2
        assert await client.ask(b"NOOP") == b"+OK"


async def test_a_message_without_a_last_line_end_gets_one(given: Given) -> None:
    await append(await given.account(), b"Subject: x\r\n\r\nno end")
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        assert await _multi(client, b"RETR 1") == b"Subject: x\r\n\r\nno end\r\n"


async def test_the_end_comes_in_one_piece_with_the_last_line(given: Given) -> None:
    await append(await given.account(), RAW)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        client.send(b"RETR 1\r\n")
        assert await client.peer.receive() == b"+OK %d octets\r\n" % len(RAW) + RAW + b".\r\n"


async def test_unique_ids_are_permanent(given: Given) -> None:
    account = await given.account()
    await _fill(account, 3)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        first = (await _multi(client, b"UIDL")).splitlines()
        assert await client.ask(b"UIDL 2") == b"+OK " + first[1]
    assert all(re.fullmatch(rb"\d [0-9a-f]{16}", line) for line in first)
    assert len({line[2:] for line in first}) == 3
    await remove_first(account)
    await append(account, RAW)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        second = (await _multi(client, b"UIDL")).splitlines()
    assert [line[2:] for line in second[:2]] == [line[2:] for line in first[1:]]
    assert second[2][2:] not in [line[2:] for line in first]


async def test_quit_removes_what_was_marked(given: Given) -> None:
    account = await given.account()
    raws = await _fill(account, 4)
    watch = account.watch((await account.mailbox("INBOX")).id)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        for number in (1, 3):
            await client.ask(b"DELE %d" % number)
        assert not watch.fired
        assert await messages(account) == raws
        assert await client.ask(b"QUIT") == b"+OK Goodbye, 2 messages left"
        assert await client.rest() == b""
    assert watch.fired
    assert await messages(account) == [raws[1], raws[3]]


@pytest.mark.parametrize("ending", ["gone", "idle", "stopped", "thrown out"])
async def test_a_session_that_ends_in_another_way_removes_nothing(given: Given, ending: str) -> None:
    account = await given.account()
    raws = await _fill(account, 2)
    async with Dialogue(Pop3Session, given.limited(bad_commands=1)) as client:
        await _login(client)
        await client.ask(b"DELE 1")
        await _multi(client, b"RETR 2")
        await client.taken()
        match ending:
            case "gone":
                client.peer.end()
            case "idle":
                client.clock.advance(given.services.limits.idle_seconds)
            case "stopped":
                client.peer.stop()
            case _:
                client.send(b"what\r\n")
        rest = await client.rest()
    # RFC 1939 §3: after an idle timeout, the server sends nothing
    told = {"gone": b"", "idle": b"", "stopped": b"-ERR [SYS/TEMP] The server", "thrown out": b"-ERR Unknown"}[ending]
    assert rest.startswith(told)
    assert bool(rest) is bool(told)
    assert await messages(account) == raws
    assert await flags(account) == [(), ()]


async def test_retrieved_messages_are_seen_after_quit(given: Given) -> None:
    account = await given.account()
    await _fill(account, 3)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        await _multi(client, b"RETR 1")
        await _multi(client, b"TOP 2 100")
        await _multi(client, b"RETR 3")
        await client.ask(b"DELE 3")
        assert await flags(account) == [(), (), ()]
        await client.ask(b"QUIT")
    assert await flags(account) == [("\\Seen",), ()]


async def test_a_message_that_another_session_removed_keeps_its_number(given: Given) -> None:
    account = await given.account()
    raws = await _fill(account, 3)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        await remove_first(account)
        await append(account, RAW)
        assert (await client.ask(b"RETR 1")) == b"-ERR Message 1 is no longer there, another session removed it"
        assert (await client.ask(b"TOP 1 0")).startswith(b"-ERR Message 1 is no longer there")
        assert await client.ask(b"LIST 1") == b"+OK 1 %d" % len(raws[0])
        assert await client.ask(b"STAT") == b"+OK 3 %d" % sum(map(len, raws))
        assert await _multi(client, b"RETR 2") == raws[1]
        assert (await client.ask(b"RETR 4")).startswith(b"-ERR No such message")
        for number in (1, 2):
            assert (await client.ask(b"DELE %d" % number)).startswith(b"+OK")
        assert (await client.ask(b"QUIT")).startswith(b"+OK")
    assert await messages(account) == [raws[2], RAW]


async def test_flags_of_others_are_left_alone(given: Given) -> None:
    account = await given.account()
    await _fill(account, 1)
    mailbox = (await account.mailbox("INBOX")).id
    uids = (await account.select("INBOX", claim_recent=False)).uids
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        await account.store_flags(mailbox, uids, FlagChange.ADD, frozenset({"\\Flagged", "$Junk"}))
        await _multi(client, b"RETR 1")
        await client.ask(b"QUIT")
    assert set((await flags(account))[0]) == {"\\Flagged", "$Junk", "\\Seen"}


async def test_many_messages_are_listed(given: Given) -> None:
    account = await given.account()
    await _fill(account, 40)
    mailbox = (await account.mailbox("INBOX")).id
    for _ in range(6):
        uids = (await account.select("INBOX", claim_recent=False)).uids
        await account.copy(mailbox, uids, "INBOX")
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        for command in (b"LIST", b"UIDL"):
            lines = (await _multi(client, command)).splitlines()
            assert [line.split()[0] for line in lines] == [b"%d" % number for number in range(1, 40 * 64 + 1)]


async def test_commands_may_be_pipelined(given: Given) -> None:
    account = await given.account()
    raws = await _fill(account, 2)
    async with Dialogue(Pop3Session, given.services) as client:
        client.send(b"USER linda\r\nPASS Pa$$123\r\nSTAT\r\nRETR 1\r\nRETR 2\r\nDELE 1\r\nNOOP\r\nQUIT\r\nSTAT\r\n")
        came = await client.rest()
    sizes = tuple(map(len, raws))
    assert came.split(b"\r\n", 3)[3] == (
        b"+OK 2 %d\r\n+OK %d octets\r\n%b.\r\n+OK %d octets\r\n%b.\r\n"
        % (sum(sizes), sizes[0], raws[0], sizes[1], raws[1])
        + b"+OK Message 1 will be removed at QUIT\r\n+OK\r\n+OK Goodbye, 1 message left\r\n"
    )
    assert await messages(account) == raws[1:]


async def test_two_sessions_at_once(given: Given) -> None:
    account = await given.account()
    raws = await _fill(account, 2)
    async with Dialogue(Pop3Session, given.services) as one, Dialogue(Pop3Session, given.services) as other:
        await _login(one)
        await _login(other)
        await one.ask(b"DELE 1")
        await one.ask(b"QUIT")
        assert await _multi(other, b"RETR 2") == raws[1]
        await other.ask(b"DELE 1")
        await other.ask(b"DELE 2")
        assert await other.ask(b"QUIT") == b"+OK Goodbye, 0 messages left"
    assert await messages(account) == []


# Logging in


async def test_failed_logins_are_logged_and_limited(given: Given) -> None:
    async with Dialogue(Pop3Session, given.limited(login_failures=2)) as client:
        await client.line()
        for _ in range(2):
            await client.ask(b"USER linda\x1b[31m")
            assert await client.ask(b"PASS wrong") == b"-ERR [AUTH] Wrong name or password"
        assert await client.rest() == b""
    assert [entry["event"] for entry in given.capture.entries] == ["auth_failed"] * 2
    assert given.capture.entries[0]["user"] == "linda\x1b[31m"
    assert given.capture.entries[0]["mech"] == "PASS"
    assert given.capture.entries[0]["ip"] == "127.0.0.1"


async def test_a_login_has_a_deadline(given: Given) -> None:
    async with Dialogue(Pop3Session, given.services) as client:
        await client.line()
        await client.taken()
        client.clock.advance(given.services.limits.login_seconds)
        assert await client.rest() == b""


async def test_connections_of_an_account_are_counted(given: Given) -> None:
    connections = given.services.authenticator.connections
    account = await given.account()
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        assert connections.count(account.id) == 1
    assert connections.count(account.id) == 0


async def test_a_connection_above_the_limit_gets_the_reason(given: Given) -> None:
    account = await given.account()
    connections = given.services.authenticator.connections
    places = [connections.open(account.id) for _ in range(given.services.limits.connections_per_account)]
    async with Dialogue(Pop3Session, given.services) as client:
        answer = await _login(client)
        assert answer.startswith(b"-ERR [SYS/TEMP] The password is right, but this account has 100 connections")
        places.pop().close()
        await client.ask(b"USER linda")
        assert (await client.ask(b"PASS Pa$$123")).startswith(b"+OK")


async def test_a_remote_client_must_encrypt_first(given: Given) -> None:
    dialogue = Dialogue(Pop3Session, given.services)
    dialogue.peer.local = False
    async with dialogue as client:
        await client.line()
        assert (await _multi(client, b"CAPA")).splitlines().count(b"SASL SCRAM-SHA-256") == 1
        assert b"USER" not in (await _multi(client, b"CAPA")).splitlines()
        assert await client.ask(b"USER linda") == b"-ERR [AUTH] Encrypt the connection first: STLS"
        assert (await client.ask(b"PASS Pa$$123")) == b"-ERR USER comes before PASS"
        assert (await client.ask(b"AUTH PLAIN AGxpbmRhAFBhJCQxMjM=")).startswith(b"-ERR [AUTH] Encrypt")
        assert (await client.ask(b"STLS")).startswith(b"+OK")
        await client.peer.handshake()
        mechanisms = b"SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"
        assert (await _multi(client, b"CAPA")).splitlines().count(mechanisms) == 1
        assert b"STLS" not in (await _multi(client, b"CAPA")).splitlines()
        assert (await client.ask(b"AUTH PLAIN AGxpbmRhAFBhJCQxMjM=")).startswith(b"+OK")


@pytest.mark.parametrize("piece", [b"STLS\r\nUSER linda\r\n", b"STLS\r\nU"])
async def test_plaintext_after_stls_ends_the_session(given: Given, piece: bytes) -> None:
    async with Dialogue(Pop3Session, given.services) as client:
        await client.line()
        client.send(piece)
        assert await client.rest() == b"-ERR Nothing may follow STLS before the connection is encrypted\r\n"
        assert not client.peer.secure


async def test_a_user_name_from_before_tls_is_forgotten(given: Given) -> None:
    async with Dialogue(Pop3Session, given.services) as client:
        await client.line()
        await client.ask(b"USER linda")
        await client.ask(b"STLS")
        await client.peer.handshake()
        assert await client.ask(b"PASS Pa$$123") == b"-ERR USER comes before PASS"


async def test_too_many_mistakes_before_login(given: Given) -> None:
    async with Dialogue(Pop3Session, given.limited(login_bad_commands=3)) as client:
        await client.line()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore\r\n")
        assert len((await client.rest()).splitlines()) == 4


async def test_a_line_that_is_too_long(given: Given) -> None:
    async with Dialogue(Pop3Session, given.services) as client:
        await client.line()
        assert (await client.ask(b"USER " + b"x" * 20_000)).startswith(b"-ERR A line may have at most 8192")
        assert (await _multi(client, b"CAPA")) != b""


async def test_a_bug_is_answered_and_the_session_goes_on(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        with monkeypatch.context() as patch:
            patch.setattr("mektup.pop3.maildrop.Maildrop.stat", lambda self: 1 // 0)
            assert await client.ask(b"STAT") == b"-ERR [SYS/TEMP] Internal error, session s1"
        assert await client.ask(b"STAT") == b"+OK 0 0"
    assert given.services.tally.bugs == 1


async def test_a_message_that_breaks_off_has_no_final_dot(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(await given.account(), RAW)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        monkeypatch.setattr("mektup.pop3.multiline.Stuffer.finish", lambda self: 1 // 0)
        client.send(b"RETR 1\r\nNOOP\r\n")
        assert b"\r\n.\r\n" not in await client.rest()


async def test_quit_when_the_marked_messages_are_gone(given: Given) -> None:
    account = await given.account()
    await _fill(account, 1)
    async with Dialogue(Pop3Session, given.services) as client:
        await _login(client)
        await client.ask(b"DELE 1")
        await remove_first(account)
        assert (await client.ask(b"QUIT")).startswith(b"+OK")
    assert (await account.select("INBOX", claim_recent=False)).uids == Uids()


@pytest.mark.parametrize("password", ["Pa$$123", "wrong"])
async def test_scram(given: Given, password: str) -> None:
    await given.services.store.directory.set_secrets("linda", quick_secrets("Pa$$123"))
    scram = ScramClient(["SCRAM-SHA-256"], "linda", password)
    async with Dialogue(Pop3Session, given.services) as client:
        await client.line()
        first = await client.ask(b"AUTH SCRAM-SHA-256 " + b64encode(scram.get_client_first().encode()))
        scram.set_server_first(b64decode(first.removeprefix(b"+ ")).decode())
        final = await client.ask(b64encode(scram.get_client_final().encode()))
        if password == "wrong":
            assert final == b"-ERR [AUTH] Wrong name or password"
            assert given.capture.entries[-1]["mech"] == "SCRAM-SHA-256"
            assert given.capture.entries[-1]["user"] == "linda"
        else:
            scram.set_server_final(b64decode(final.removeprefix(b"+ ")).decode())
            assert (await client.ask(b"")).startswith(b"+OK Welcome")
