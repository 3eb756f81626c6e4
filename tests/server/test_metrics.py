"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mektup import Server
from mektup.server.app import ThreadedServer


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    listen = {"imap": ["127.0.0.1:0"], "metrics": ["127.0.0.1:0"]}
    with Server(users={"linda": "Pa$$123"}, listen=listen).in_thread() as made:
        yield made


def get(server: ThreadedServer, path: str, method: str = "GET") -> str:
    with urlopen(Request(f"http://127.0.0.1:{server.port('metrics')}{path}", method=method), timeout=5) as answer:
        return str(answer.read().decode())


def samples(server: ThreadedServer) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("protocol", "")): sample.value
        for family in text_string_to_metric_families(get(server, "/metrics"))
        for sample in family.samples
    }


def test_what_happens_is_counted(server: ThreadedServer) -> None:
    client = imaplib.IMAP4(*server.address("imap"))
    client.login("linda", "Pa$$123")
    client.select()
    client.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
    stranger = imaplib.IMAP4(*server.address("imap"))
    with pytest.raises(imaplib.IMAP4.error):
        stranger.login("linda", "wrong")
    seen = samples(server)
    assert seen["mektup_connections_total", "imap"] == 2
    assert seen["mektup_open_connections", "imap"] == 2
    assert seen["mektup_logins_total", "imap"] == 1
    assert seen["mektup_refused_logins_total", "imap"] == 1
    assert seen["mektup_messages_total", "imap"] == 1
    assert seen["mektup_commands_total", "imap"] >= 5
    assert seen["mektup_bugs_total", "imap"] == 0
    assert seen["mektup_workers", ""] == seen["mektup_workers_up", ""] == 1
    assert seen["mektup_certificate_expires_days", ""] > 3000
    client.logout()
    stranger.logout()


def test_health(server: ThreadedServer) -> None:
    assert get(server, "/health") == "1 of 1 workers up\n"


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 405)])
def test_what_is_not_there(server: ThreadedServer, path: str, method: str, status: int) -> None:
    with pytest.raises(HTTPError) as caught:
        get(server, path, method)
    assert caught.value.code == status
    caught.value.close()


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", b"x" * 100_000])
async def test_nonsense_is_survived(nonsense: bytes) -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        reader, writer = await asyncio.open_connection(*server.address("metrics"))
        writer.write(nonsense)
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        assert not answer or answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405"))
        writer.close()
        reader, writer = await asyncio.open_connection(*server.address("metrics"))
        writer.write(b"GET /health HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_one_who_says_nothing_does_not_hold_up_the_end() -> None:
    async with Server(listen={"metrics": ["127.0.0.1:0"]}) as server:
        _reader, writer = await asyncio.open_connection(*server.address("metrics"))
        await asyncio.sleep(0)
    writer.close()
