"""TLS as a hostile or an old client meets it: 1.2 at least, ciphers with forward secrecy, nothing to renegotiate."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mektup import Server
from mektup.server import self_signed, tls

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with Server(users={"linda": "Pa$$123"}).in_thread() as server:
        yield server.port("imaps")


def client(port: int, *words: str, typed: str = "") -> tuple[int, str]:
    """The exit status and the output of ``openssl s_client``, which may use what the library itself would refuse."""
    done = subprocess.run(
        [
            str(OPENSSL),
            "s_client",
            "-connect",
            f"127.0.0.1:{port}",
            "-cipher",
            "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
            *words,
        ],
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(port: int, version: str) -> None:
    _, said = client(port, version)
    assert "alert protocol version" in said or "unsupported protocol" in said
    assert "* OK" not in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_present_versions_are_spoken_without_compression(port: int, version: str) -> None:
    status, said = client(port, version, "-comp", "-crlf", "-quiet", typed="a LOGOUT\n")
    assert status == 0
    assert "* BYE" in said
    _, said = client(port, version, "-comp")
    assert "Compression: NONE" in said
    assert re.search(r"Cipher is (ECDHE|DHE|TLS_)", said)


@pytest.mark.parametrize("cipher", ["aNULL", "eNULL", "RC4", "3DES", "MD5", "EXPORT", "kRSA", "PSK", "SRP", "CAMELLIA"])
def test_weak_ciphers_are_refused(port: int, cipher: str) -> None:
    status, said = client(port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert status != 0
    assert "* OK" not in said


def test_every_cipher_that_is_offered_has_forward_secrecy_and_authenticates(tmp_path: Path) -> None:
    pair = self_signed.pair_under(tmp_path, "mektup")
    context = tls.server_context(pair.cert, pair.key)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    for cipher in context.get_ciphers():
        assert cipher["kea"] in ("kx-ecdhe", "kx-dhe", "kx-any"), cipher["name"]
        assert cipher["auth"] in ("auth-rsa", "auth-ecdsa", "auth-any"), cipher["name"]
        assert cipher["strength_bits"] >= 128, cipher["name"]


def test_renegotiation_is_refused(port: int) -> None:
    _, said = client(port, "-tls1_2", "-crlf", typed="R\n")
    # the alert "no renegotiation", or a complaint that the next record is no handshake
    _, asked, after = said.partition("RENEGOTIATING")
    assert asked
    assert "error:" in after


def test_a_name_that_the_client_asks_for_costs_nothing_and_changes_nothing(port: int) -> None:
    for name in ("other.example.org", "x" * 63 + ".org", "%{user}.example.org"):
        status, said = client(port, "-servername", name, "-crlf", "-quiet", typed="a LOGOUT\n")
        assert status == 0
        assert "* BYE" in said
