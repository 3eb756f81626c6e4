"""HAProxy in front of mektup: the log and the limits have the address of the client, in both versions of its header."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.mektup import Mektup
from bench.ports import choose_ports

from .programs import program

CLIENT = "127.0.0.9"
"""An address of a client that is not the balancer's; all of 127.0.0.0/8 is this machine."""

BALANCER = "127.0.0.2"

# A balancer on the same machine sends from the address that `source` gives.
CONFIGURATION = """
global
    maxconn 50
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
"""


@dataclass(frozen=True)
class House:
    """A mektup behind an HAProxy."""

    mektup: Mektup
    ports: dict[str, int]
    """Where HAProxy listens, by service."""

    def lines(self, event: str) -> list[str]:
        """The lines of the log with that event."""
        return [line for line in self.mektup.log.read_text().splitlines() if f"] {event} " in line]

    def until(self, event: str, word: str) -> str:
        """The first line with that event and *word*; waits for it."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in self.lines(event):
                if word in line:
                    return line
            time.sleep(0.01)
        raise TimeoutError(f"no {event} with {word}: {self.mektup.log.read_text()}")


def until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("HAProxy does not listen")


@pytest.fixture(
    scope="module", params=["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"]
)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("haproxy")
    haproxy = program("haproxy", "haproxy", folder)
    services = ("imap", "imaps", "pop3", "lmtp")
    listed = "\n".join(f'{service} = ["{BALANCER}"]' for service in services)
    with Mektup(folder, workers=2, settings=f"[auth]\nplaintext = 'always'\n[proxy_from]\n{listed}") as mektup:
        mektup.add_user("linda", "Pa$$123")
        ports = choose_ports(services)
        text = CONFIGURATION
        for service, port in ports.items():
            text += f"\nlisten {service}\n    bind 127.0.0.1:{port}\n    unique-id-format %[uuid()]\n"
            text += f"    server mektup 127.0.0.1:{mektup.ports[service]} source {BALANCER} {request.param}"
            text += " check inter 200ms\n"
        configuration = folder / "haproxy.cfg"
        configuration.write_text(text)
        process = subprocess.Popen([haproxy.path, "-db", "-f", str(configuration)], stderr=subprocess.DEVNULL)
        try:
            for port in ports.values():
                until_listening(process, port)
            yield House(mektup, ports)
        finally:
            process.terminate()
            process.wait(20)
    assert not re.search(r"Traceback|SERVERBUG", mektup.log.read_text())


def tls(house: House) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(house.mektup.certificate))
    context.check_hostname = False
    return context


class Imap(imaplib.IMAP4):
    """A client at CLIENT."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, source_address=(CLIENT, 0))


def test_imap_with_and_without_starttls(house: House) -> None:
    client = Imap("127.0.0.1", house.ports["imap"])
    client.login("linda", "Pa$$123")
    client.logout()
    client = Imap("127.0.0.1", house.ports["imap"])
    client.starttls(tls(house))
    client.login("linda", "Pa$$123")
    client.select()
    client.logout()
    assert f"address='{CLIENT}'" in house.until("login", CLIENT)
    assert f"address='{CLIENT}'" in house.until("session_ended", CLIENT)


def test_tls_from_the_first_octet(house: House) -> None:
    class Secure(imaplib.IMAP4_SSL):
        def _create_socket(self, timeout: float | None) -> socket.socket:
            made = socket.create_connection((self.host, self.port), timeout, source_address=("127.0.0.10", 0))
            return self.ssl_context.wrap_socket(made, server_hostname=self.host)

    client = Secure("127.0.0.1", house.ports["imaps"], ssl_context=tls(house))
    client.login("linda", "Pa$$123")
    client.logout()
    assert "protocol='imaps'" in house.until("login", "address='127.0.0.10'")


def test_a_failure_is_logged_with_the_address_of_the_client(house: House) -> None:
    client = Imap("127.0.0.1", house.ports["imap"])
    with pytest.raises(imaplib.IMAP4.error):
        client.login("linda", "wrong")
    client.logout()
    assert f"ip='{CLIENT}'" in house.until("auth_failed", "user='linda'")


def test_pop3(house: House) -> None:
    client = poplib.POP3("127.0.0.1", house.ports["pop3"])
    client.user("linda")
    client.pass_("Pa$$123")
    client.quit()


def test_lmtp(house: House) -> None:
    with smtplib.LMTP("127.0.0.1", house.ports["lmtp"]) as client:
        refused = client.sendmail("deniz@example.org", ["linda"], b"Subject: hello\r\n\r\nWorld\r\n")
    assert refused == {}
    client = imaplib.IMAP4("127.0.0.1", house.ports["imap"])
    client.login("linda", "Pa$$123")
    client.select()
    _, found = client.fetch("1", "(BODY[HEADER.FIELDS (RECEIVED)])")
    assert b"[127.0.0.1]" in found[0][1]
    client.logout()


def test_checks_of_the_balancer_are_no_refusals(house: House) -> None:
    # HAProxy checks each service five times a second
    assert not house.lines("connection_refused")


def test_who_is_no_balancer_names_no_client(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.mektup.ports["imap"]), 10) as direct:
        direct.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 143\r\n")
        with direct.makefile("rb") as answers:
            assert b"* BYE" in answers.read()
    assert "address='127.0.0.1'" in house.until("proxy_header_refused", "proxy_from")
    assert "192.0.2.7" not in house.mektup.log.read_text()


def test_a_balancer_without_a_header_is_refused(house: House) -> None:
    with socket.create_connection(
        ("127.0.0.1", house.mektup.ports["imap"]), 10, source_address=(BALANCER, 0)
    ) as direct:
        direct.sendall(b"a1 NOOP\r\n")
        # closed with an unread octet, so it is reset
        with contextlib.suppress(ConnectionResetError):
            assert direct.recv(100) == b""
    assert f"last_from='{BALANCER}'" in house.until("connection_refused", "PROXY protocol: the header is missing")
