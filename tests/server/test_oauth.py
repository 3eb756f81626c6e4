"""Tokens over real connections, with keys from a file and from a server on this machine."""

from __future__ import annotations

import asyncio
import imaplib
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

from mektup import Server
from mektup.server import fetched
from mektup.server.config import Config, ConfigError, load
from mektup.server.fetched import may_be_fetched
from mektup.server.issuer_keys import LOOK_SECONDS, IssuerKeys
from tests.support.tokens import JWKS, rules, token

pytest.importorskip("joserfc", reason="the extra oauth is not installed")
USERS = {"user@example.com": "Pa$$123"}


class Answers(BaseHTTPRequestHandler):
    """Serves ``/jwks``, and what an issuer should not do elsewhere."""

    def do_GET(self) -> None:
        body = JWKS.read_bytes()
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/jwks")
            body = b""
        elif self.path == "/missing":
            self.send_response(404)
        else:
            self.send_response(200)
        if self.path == "/large":
            body = b" " * (fetched.MOST_BYTES + 1)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def issuer() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def connected(server: Any) -> Iterator[imaplib.IMAP4_SSL]:
    with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.ssl_context()) as client:
        yield client


def bearer(said: str) -> bytes:
    return f"n,a=user@example.com,\x01auth=Bearer {said}\x01\x01".encode()


def log_in(client: imaplib.IMAP4, said: str) -> str:
    return client.authenticate("OAUTHBEARER", lambda challenge: b"\x01" if challenge else bearer(said))[0]


@pytest.mark.parametrize("place", ["file", "url"])
def test_keys_from_a_file_and_from_a_url(issuer: str, place: str) -> None:
    jwks = str(JWKS) if place == "file" else f"{issuer}/jwks"
    with Server(users=USERS, oauth=rules(jwks)).in_thread() as server:
        with connected(server) as client:
            assert {"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"} <= set(client.capabilities)
            with pytest.raises(imaplib.IMAP4.error, match="not valid here"):
                log_in(client, token(exp=1))
            assert log_in(client, token()) == "OK"
            assert client.select()[0] == "OK"
        with connected(server) as client:
            message = f"user=user@example.com\x01auth=Bearer {token()}\x01\x01".encode()
            assert client.authenticate("XOAUTH2", lambda challenge: message)[0] == "OK"


def test_an_issuer_that_cannot_be_reached(issuer: str) -> None:
    with Server(users=USERS, oauth=rules(f"{issuer}/missing")).in_thread() as server, connected(server) as client:
        with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\] Tokens cannot be checked now"):
            log_in(client, token())
        assert client.login("user@example.com", "Pa$$123")[0] == "OK"


def test_a_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given = [token(), token(exp=1), token(email="nobody"), "forged.token.signature"]
    with Server(users=USERS, oauth=rules()).in_thread() as server:
        for said in given:
            with connected(server) as client:
                try:
                    log_in(client, said)
                except imaplib.IMAP4.error:
                    continue
    assert "auth_failed" in caplog.text
    for said in given:
        assert not any(part in caplog.text for part in said.split("."))


class Source:
    """Keys in a file that a test replaces, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "jwks.json"
        self.file.write_bytes(JWKS.read_bytes())
        self.now = 0.0
        self.log = structlog.testing.LogCapture()
        log = structlog.wrap_logger(structlog.PrintLogger(), processors=[self.log])
        self.keys = IssuerKeys(str(self.file), lambda octets: len(json.loads(octets)["keys"]), log, lambda: self.now)


async def test_keys_are_read_again_but_not_often(tmp_path: Path) -> None:
    source = Source(tmp_path)
    await source.keys.refresh()
    assert source.keys.octets == JWKS.read_bytes()
    source.file.write_text('{"keys": []}')
    await source.keys.refresh()
    assert source.keys.octets == JWKS.read_bytes()
    source.now += LOOK_SECONDS
    await asyncio.gather(*(source.keys.refresh() for _ in range(20)))
    assert source.keys.octets == b'{"keys": []}'
    await source.keys.close()


async def test_keys_that_cannot_be_read_leave_the_ones_before(tmp_path: Path) -> None:
    source = Source(tmp_path)
    await source.keys.refresh()
    source.file.write_text("<html>")
    for _ in range(3):
        source.now += LOOK_SECONDS
        await source.keys.refresh()
    assert source.keys.octets == JWKS.read_bytes()
    assert [entry["event"] for entry in source.log.entries] == ["issuer_keys_read", "issuer_keys_unreadable"]
    await source.keys.close()


async def test_keys_are_fetched_in_the_background(issuer: str) -> None:
    source = IssuerKeys(f"{issuer}/jwks", lambda octets: 1, structlog.wrap_logger(structlog.ReturnLogger()))
    source.start()
    async with asyncio.timeout(10):
        while source.octets is None:
            await asyncio.sleep(0.01)
    await source.close()


@pytest.mark.parametrize("path", ["redirect", "large", "missing"])
def test_what_is_not_taken(issuer: str, path: str) -> None:
    with pytest.raises((OSError, ValueError)):
        fetched.read(f"{issuer}/{path}")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.com/jwks", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://[::1]/jwks", True),
        ("http://example.com/jwks", False),
        ("http://localhost.example.com/jwks", False),
        ("http://localhost/jwks", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/jwks", False),
        ("https:///jwks", False),
        ("https://[/jwks", False),
    ],
)
def test_where_keys_may_be_fetched(url: str, safe: bool) -> None:
    assert may_be_fetched(url) is safe


def written(folder: Path, text: str) -> Config:
    file = folder / "mektup.toml"
    file.write_text(text)
    return load(file)


def test_in_the_configuration(tmp_path: Path) -> None:
    found = written(tmp_path, '[oauth]\nissuer = "https://i"\njwks = "keys.json"\naudience = "imap"\n').login.oauth
    assert found is not None
    assert (found.jwks, found.user_claim, found.scope) == (str(tmp_path / "keys.json"), "email", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[oauth]\nissuer = "https://i"\naudience = "a"\n', "oauth: .*jwks"),
        ('[oauth]\nissuer = "https://i"\naudience = "a"\njwks = "http://i/keys"\n', "oauth.jwks: .*https://"),
        ('[oauth]\nissuer = ""\naudience = "a"\njwks = "k"\n', "oauth.issuer"),
        ('[oauth]\nissuers = "a"\n', "oauth.issuers"),
    ],
)
def test_wrong_configurations(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        written(tmp_path, text)


@pytest.mark.parametrize("content", [None, b"<html>", b"[" * 100_000])
def test_a_file_of_keys_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"oauth\.jwks: .*jwks\.json"):
        with Server(oauth=rules(str(file))).in_thread():
            pass


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mektup.auth.oauth.tokens", None)
    with pytest.raises(ConfigError, match=r"pip install 'mektup\[oauth\]'"):
        with Server(oauth=rules()).in_thread():
            pass
