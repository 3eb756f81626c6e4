"""A server inside a program: the program's calls, and clients of every protocol."""

from __future__ import annotations

import asyncio
import dataclasses
import imaplib
import operator
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path

import pytest

import mektup
from mektup import Server
from mektup.server.config import ConfigError
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits

LINDA = {"linda": "Pa$$123"}
NOTE = b"Subject: note\r\n\r\nhello\r\n"


async def test_a_message_delivered_is_read_by_imap() -> None:
    async with Server(users=LINDA) as server:
        uid = await server.deliver("linda", NOTE)
        assert uid == 1

        def read() -> bytes:
            with imaplib.IMAP4(*server.address("imap")) as client:
                client.login("linda", "Pa$$123")
                assert client.select("INBOX") == ("OK", [b"1"])
                _, ((_, body), _) = client.fetch("1", "(BODY[TEXT])")  # type: ignore[misc]
                return bytes(body)

        assert await asyncio.to_thread(read) == b"hello\r\n"


async def test_what_may_be_delivered(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "çay"
    message.set_content("Cuma günü\n")
    file = tmp_path / "note.eml"
    file.write_bytes(NOTE.replace(b"\r\n", b"\n"))
    async with Server(users=LINDA) as server:
        await server.deliver("linda", message, "Archive", flags=["\\Seen", "$Label"])
        entry = await server.store.directory.find("linda")
        assert entry is not None
        account = await server.store.account(entry)
        moment = datetime(2026, 11, 5, 12, 0, tzinfo=timezone(timedelta(hours=3)))
        await server.deliver("LINDA", file, internaldate=moment)
        mailboxes = {mailbox.name: mailbox for mailbox in await account.mailboxes()}
        assert (mailboxes["Archive"].messages, mailboxes["Archive"].unseen) == (1, 0)
        assert mailboxes["INBOX"].size == len(NOTE)
        with pytest.raises(Refused, match="No such account: nobody"):
            await server.deliver("nobody", NOTE)
        with pytest.raises(Refused, match="No such mailbox"):
            await server.deliver("linda", NOTE, "Nowhere")

        def date() -> float:
            with imaplib.IMAP4(*server.address("imap")) as client:
                client.login("linda", "Pa$$123")
                client.select("INBOX")
                _, (answer,) = client.fetch("1", "(INTERNALDATE)")
                assert isinstance(answer, bytes)
                assert b'" 5-Nov-2026 12:00:00 +0300"' in answer
                return time.mktime(imaplib.Internaldate2tuple(answer))

        assert datetime.fromtimestamp(await asyncio.to_thread(date), UTC) == moment


async def test_a_message_over_the_limit_is_refused() -> None:
    async with Server(users=LINDA, limits=Limits(message_bytes=100)) as server:
        with pytest.raises(Refused, match="at most 100 octets"):
            await server.deliver("linda", b"x" * 101)


async def test_a_data_directory_is_kept(tmp_path: Path) -> None:
    async with Server(tmp_path / "data", users=LINDA) as server:
        await server.deliver("linda", NOTE)
        pem = server.ssl_context().get_ca_certs()
    async with Server(tmp_path / "data") as server:
        assert await server.deliver("linda", NOTE) == 2
        assert server.ssl_context().get_ca_certs() == pem
    assert not list((tmp_path / "data" / "run").glob("*.bus"))


async def test_a_server_starts_and_stops_quickly() -> None:
    best = 10.0
    for _ in range(3):
        began = time.perf_counter()
        async with Server():
            best = min(best, time.perf_counter() - began)
    # a busy machine may be slow sometimes; a sleep or a hash at the start would be slow each time
    assert best < 0.1


async def test_a_stopped_server_has_no_addresses(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    async with Server(listen={"imap": ["127.0.0.1:0"], "lmtp": [f"unix:{path}"]}) as server:
        host, port = server.address("imap")
        assert path.exists()
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)


async def test_services_that_are_off_have_no_address() -> None:
    async with Server(listen={"imap": ["127.0.0.1:0"]}) as server:
        assert server.port("imap") > 0
        for off in ("pop3", "metrics"):
            with pytest.raises(KeyError, match=f"{off} is off: name it in listen="):
                server.port(off)
        with pytest.raises(KeyError, match="expected one of imap, imaps"):
            server.port("http")
    with pytest.raises(RuntimeError, match="not running"):
        server.port("imap")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"listen": {"imap": ["nowhere"]}}, "listen: imap: expected"),
        ({"listen": {"imap": "nowhere"}}, 'listen: imap: expected.*got "nowhere"'),
        ({"listen": {"imap": 143}}, "listen: imap: expected an address .*got 143"),
        ({"listen": {"imap": [143]}}, "listen: imap: expected an address"),
        ({"listen": "imap"}, "listen: expected services and addresses"),
        ({"users": ["linda"]}, "users: expected names and passwords"),
        ({"users": {"linda": None}}, "users: .*'linda'"),
        ({"listen": {"http": ["127.0.0.1:0"]}}, "listen: http: expected one of imap"),
        ({"hostname": 3}, "hostname: expected str, got int"),
        ({"limits": {}}, "limits: expected Limits, got dict"),
        ({"delivery": False}, "delivery: expected DeliveryRules, got bool"),
        ({"key": "server.key"}, "tls.key needs tls.cert beside it"),
        ({"plaintext": "sometimes"}, "plaintext: expected one of 'loopback', 'always', 'never'"),
    ],
)
async def test_options_that_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Server(**options)  # type: ignore[arg-type]


async def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with Server(listen={"imap": ["127.0.0.1:0"]}) as server:
        port = server.port("imap")
        twice = Server(tmp_path, listen={"pop3": ["127.0.0.1:0"], "imap": [f"127.0.0.1:{port}"]})
        with pytest.raises(ConfigError, match="Address already in use"):
            await twice.__aenter__()
    assert not list((tmp_path / "run").glob("*.bus"))
    with pytest.raises(Refused):
        await Server(users={"linda": ""}).__aenter__()


def test_in_a_thread_beside_a_client_that_waits() -> None:
    with Server(users=LINDA).in_thread() as server:
        server.add_user("deniz", "çay")
        server.deliver("deniz", NOTE)
        client = imaplib.IMAP4(*server.address("imap"))
        client.login("linda", "Pa$$123")
        assert client.select() == ("OK", [b"0"])
        client.response("EXISTS")
        server.deliver("linda", NOTE)
        client.noop()
        assert client.response("EXISTS") == ("EXISTS", [b"1"])
        client.logout()


def test_a_thread_that_cannot_start_says_why() -> None:
    with pytest.raises(Refused), Server(users={"linda": ""}).in_thread():
        pass


def test_every_protocol_over_tls_and_without() -> None:
    with Server(users=LINDA).in_thread() as server:
        trust = server.ssl_context()
        with smtplib.LMTP(*server.address("lmtp")) as lmtp:
            assert lmtp.sendmail("deniz@example.org", ["linda"], NOTE) == {}
        for imap in (
            imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=trust),
            imaplib.IMAP4(*server.address("imap")),
        ):
            if isinstance(imap.sock, ssl.SSLSocket):
                assert imap.sock.version() == "TLSv1.3"
            else:
                imap.starttls(trust)
            imap.login("linda", "Pa$$123")
            assert imap.select() == ("OK", [b"1"])
            imap.logout()
        for pop in (
            poplib.POP3_SSL(*server.address("pop3s"), context=trust),
            poplib.POP3(*server.address("pop3")),
        ):
            if not isinstance(pop.sock, ssl.SSLSocket):  # type: ignore[attr-defined]
                pop.stls(trust)
            pop.user("linda")
            pop.pass_("Pa$$123")
            assert pop.stat()[0] == 1
            pop.quit()


def test_stopping_says_goodbye() -> None:
    with Server(users=LINDA).in_thread() as server:
        imap = imaplib.IMAP4(*server.address("imap"))
        imap.login("linda", "Pa$$123")
        idle = imaplib.IMAP4(*server.address("imap"))
        idle.login("linda", "Pa$$123")
        idle.select()
        idle.send(b"x IDLE\r\n")
        assert idle.readline().startswith(b"+ ")
        pop = poplib.POP3(*server.address("pop3"))
        lmtp = smtplib.LMTP(*server.address("lmtp"))
        lmtp.ehlo_or_helo_if_needed()
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert imap.readline().startswith(b"* BYE ")
    assert idle.readline().startswith(b"* BYE ")
    assert pop.file.readline().startswith(b"-ERR [SYS/TEMP] ")  # type: ignore[attr-defined]
    assert lmtp.getreply()[0] == 421
    imap.shutdown()
    idle.shutdown()
    pop.close()
    lmtp.close()


def test_a_password_may_not_cross_where_it_must_not() -> None:
    with Server(users=LINDA, plaintext="never").in_thread() as server:
        imap = imaplib.IMAP4(*server.address("imap"))
        assert "LOGINDISABLED" in imap.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            imap.login("linda", "Pa$$123")
        imap.logout()


async def test_a_key_file_that_a_power_loss_emptied_is_made_again(tmp_path: Path) -> None:
    key = tmp_path / "data" / "run" / "nobodys.key"
    for damage in (b"", b"short"):
        async with Server(tmp_path / "data"):
            assert len(key.read_bytes()) == 32
        key.write_bytes(damage)
    async with Server(tmp_path / "data"):
        made = key.read_bytes()
    assert len(made) == 32
    async with Server(tmp_path / "data"):
        assert key.read_bytes() == made


@pytest.mark.parametrize(("mode", "warnings"), [(0o755, 0), (0o770, 1), (0o707, 1)])
async def test_the_log_says_where_others_may_write(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warnings: int
) -> None:
    data = tmp_path / "data"
    async with Server(data):
        pass
    data.chmod(mode)
    caplog.clear()
    async with Server(data):
        pass
    assert sum("others_may_write" in each.message for each in caplog.records) == warnings


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
async def test_a_server_says_which_file_it_may_not_open_and_whose_it_is() -> None:
    with tempfile.TemporaryDirectory(prefix="mektup-") as directory:  # pytest's directories are closed to other users
        os.chmod(directory, 0o755)
        data = Path(directory, "data")
        async with Server(data, users=LINDA):
            pass
        for path in (data / "tls", data / "tls" / "self-signed.key", data / "run", data / "mektup.db"):
            for each in (data, *data.rglob("*")):
                os.chown(each, 12345, 12345)
            os.chown(path, 0, 0)
            os.seteuid(12345)
            try:
                with pytest.raises(ConfigError) as caught:
                    await Server(data).__aenter__()
            finally:
                os.seteuid(0)
            assert str(caught.value) == (
                f"data: {path}: Permission denied; it belongs to root, mektup runs as user 12345"
            )


async def test_a_data_directory_that_is_a_file_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(ConfigError, match=rf"data: {tmp_path / 'file'}: Not a directory"):
            await Server(data).__aenter__()


async def test_errors_for_names_and_passwords_that_are_no_text() -> None:
    async with Server(users=LINDA) as server:
        for name in (None, 3, b"linda", Path("linda")):
            with pytest.raises(TypeError, match="the name of a user is a str, not "):
                await server.deliver(name, "x")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="the name of a user is a str, not "):
                await server.add_user(name, "x")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="a password is a str, not "):
                await server.add_user("fred", name)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="the name of a mailbox is a str, not "):
                await server.deliver("linda", "x", mailbox=name)  # type: ignore[arg-type]


async def test_a_server_in_a_thread_is_used_within_an_event_loop() -> None:
    with Server(users=LINDA).in_thread() as server:
        assert server.deliver("linda", "Subject: hello\n\n") == 1
    assert threading.active_count() == 1 or "mektup" not in {each.name for each in threading.enumerate()}


def test_an_address_may_stand_alone() -> None:
    with (
        Server(users=LINDA, listen={"imap": "127.0.0.1:0"}).in_thread() as server,
        imaplib.IMAP4(*server.address("imap")) as client,
    ):
        assert client.login("linda", "Pa$$123")[0] == "OK"


def test_with_names_in_thread() -> None:
    with pytest.raises(TypeError, match=r"with Server\(\.\.\.\)\.in_thread\(\)"), Server():
        pass


async def test_a_server_in_a_thread_is_entered_without_async() -> None:
    with pytest.raises(TypeError, match=r"with Server\(\.\.\.\)\.in_thread\(\)`, without async"):
        async with Server().in_thread():
            pass


async def test_a_server_can_be_used_again() -> None:
    server = Server(users=LINDA, listen={})
    for _ in range(2):
        async with server:
            assert await server.deliver("linda", NOTE) == 1
            with pytest.raises(RuntimeError, match="running already"):
                await server.__aenter__()
            assert await server.deliver("linda", NOTE) == 2
    with pytest.raises(RuntimeError, match="not running"):
        await server.deliver("linda", NOTE)


def test_a_server_can_be_used_again_in_a_thread() -> None:
    threaded = Server(users=LINDA).in_thread()
    with pytest.raises(RuntimeError, match="not running"):
        threaded.deliver("linda", NOTE)
    for _ in range(2):
        with threaded as server:
            assert server.deliver("linda", NOTE) == 1
            with pytest.raises(RuntimeError, match="running already"):
                threaded.__enter__()
    with pytest.raises(RuntimeError, match="not running"):
        threaded.add_user("deniz", "x")


def test_a_program_adds_domains_and_aliases() -> None:
    with Server(users={"linda": "x", "deniz": "y"}).in_thread() as server:
        server.add_domain("example.org")
        server.add_alias("Info@example.org", "linda", "deniz")
        with smtplib.LMTP(*server.address("lmtp")) as lmtp:
            told = lmtp.sendmail("ada@example.net", ["info@example.org", "linda@example.com"], "Subject: x\n\nx\n")
        assert [code for code, _ in told.values()] == [550]
        for user, password in (("linda", "x"), ("deniz", "y")):
            with imaplib.IMAP4(*server.address("imap")) as imap:
                imap.login(user, password)
                assert imap.select() == ("OK", [b"1"])
        with pytest.raises(Refused, match="address of the account linda"):
            server.add_alias("linda@example.org", "deniz")


def test_a_thread_that_could_not_start_can_be_entered_again() -> None:
    threaded = Server(users={"lin da": "x"}).in_thread()
    for _ in range(2):
        with pytest.raises(Refused, match="lin da cannot be the name of an account"), threaded:
            pass


def test_the_names_that_a_program_needs_are_in_one_place() -> None:
    names = {"ConfigError", "DeliveryRules", "Limits", "Refused", "Server", "ThreadedServer", "__version__"}
    assert names <= set(dir(mektup))
    assert all(hasattr(mektup, name) for name in names)
    assert (mektup.Refused, mektup.Limits, mektup.ConfigError) == (Refused, Limits, ConfigError)
    assert re.fullmatch(r"\d+\.\d+.*", mektup.__version__)
    with pytest.raises(AttributeError, match="has no attribute 'Sever'"):
        operator.attrgetter("Sever")(mektup)


def test_to_import_it_loads_nothing() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import mektup, sys; dir(mektup); print([n for n in sys.modules if 'mektup.' in n or n == 'email'])",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert said.stdout == "[]\n"


def test_a_changed_password_ends_idle_busy_and_pop3_sessions(tmp_path: Path) -> None:
    with Server(tmp_path / "data", users=LINDA).in_thread() as server:
        waiting, busy = imaplib.IMAP4(*server.address("imap"), timeout=20), imaplib.IMAP4(*server.address("imap"))
        for client in (waiting, busy):
            client.login("linda", "Pa$$123")
            client.select("INBOX")
        waiting.send(b"i IDLE\r\n")
        assert waiting.readline().startswith(b"+ ")
        pop3 = poplib.POP3(*server.address("pop3"), timeout=20)
        pop3.user("linda")
        pop3.pass_("Pa$$123")
        server.add_user("linda", "another")
        # input without a pause would keep the session from checking the clock
        with pytest.raises(imaplib.IMAP4.abort, match="password was changed"):
            _ask_for_ever(busy)
        while not (line := waiting.readline()).startswith(b"* BYE"):
            assert line
        assert b"password was changed" in line
        assert pop3.file.readline().startswith(b"-ERR [SYS/TEMP] The password was changed")
        late = imaplib.IMAP4(*server.address("imap"), timeout=20)
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            late.login("linda", "Pa$$123")
        for client in (waiting, busy, late):
            client.shutdown()
        pop3.close()


def _ask_for_ever(client: imaplib.IMAP4) -> None:
    while True:
        client.noop()


async def test_a_reload_forgets_nothing_that_is_counted_or_remembered() -> None:
    limits = Limits(connections_per_account=2, login_delay_seconds=0.01)
    async with Server(users=LINDA, limits=limits) as server:
        assert server._single is not None
        node = server._single.node
        before = node._authenticator

        async def login(expected: bytes) -> asyncio.StreamWriter:
            reader, writer = await asyncio.open_connection(*server.address("imap"))
            await reader.readline()
            writer.write(b"a LOGIN linda Pa$$123\r\n")
            assert (await reader.readline()).startswith(expected)
            return writer

        writers = [await login(b"a OK"), await login(b"a OK")]
        changed = dataclasses.replace(limits, login_failures=1, idle_seconds=2000.0)
        await server._single.reload(dataclasses.replace(node.config, limits=changed))
        assert node._authenticator is before
        assert node.sessions.limits == changed
        writers.append(await login(b"a NO [LIMIT]"))
        for writer in writers:
            writer.close()
