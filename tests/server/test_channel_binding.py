"""Logins that are bound to a TLS connection, by a client that looks at the certificate itself."""

from __future__ import annotations

import imaplib
import poplib
import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from scramp import ScramClient

from mektup import Server
from tests.support.certificates import self_signed

PLUS = "SCRAM-SHA-256-PLUS"
TYPE = "tls-server-end-point"


def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(
    params=[(ec_key, hashes.SHA256()), (ec_key, hashes.SHA384()), (rsa_key, hashes.SHA512())],
    ids=["ecdsa-sha256", "ecdsa-sha384", "rsa-sha512"],
)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    make, algorithm = request.param
    pair = self_signed(tmp_path, make(), algorithm)
    with Server(users={"linda": "Pa$$123"}, cert=pair, key=pair).in_thread() as server:
        yield server


def scram_of(client: imaplib.IMAP4 | poplib.POP3) -> ScramClient:
    return ScramClient([PLUS], "linda", "Pa$$123", channel_binding=(TYPE, client.sock))


def converse(scram: ScramClient, client: imaplib.IMAP4) -> tuple[str, list[bytes]]:
    steps: list[bytes] = []

    def answer(said: bytes) -> bytes:
        steps.append(said)
        if len(steps) == 1:
            return scram.get_client_first().encode()
        if len(steps) == 2:
            scram.set_server_first(said.decode())
            return scram.get_client_final().encode()
        scram.set_server_final(said.decode())
        return b""

    return client.authenticate(PLUS, answer)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_imap_with_tls_from_the_start(server: Server, version: ssl.TLSVersion) -> None:
    context = server.ssl_context()
    context.maximum_version = version
    with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=context) as client:
        assert f"AUTH={PLUS}" in client.capabilities
        assert converse(scram_of(client), client)[0] == "OK"


def test_imap_after_starttls(server: Server) -> None:
    with imaplib.IMAP4(*server.address("imap")) as client:
        assert f"AUTH={PLUS}" not in client.capabilities
        client.starttls(server.ssl_context())
        assert f"AUTH={PLUS}" in client.capabilities
        assert converse(scram_of(client), client)[0] == "OK"


def test_imap_through_somebody_with_another_certificate(server: Server, tmp_path: Path) -> None:
    seen = x509.load_pem_x509_certificate(self_signed(tmp_path, ec_key(), hashes.SHA256()).read_bytes())
    scram = ScramClient([PLUS], "linda", "Pa$$123", channel_binding=(TYPE, seen.fingerprint(hashes.SHA256())))
    with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.ssl_context()) as client:
        with pytest.raises(imaplib.IMAP4.error, match="another certificate"):
            converse(scram, client)


def test_pop3(server: Server) -> None:
    host, port = server.address("pop3s")
    client = poplib.POP3_SSL(host, port, context=server.ssl_context())
    assert client.capa()["SASL"][0] == PLUS
    scram = scram_of(client)
    first = client._shortcmd(f"AUTH {PLUS} " + b64encode(scram.get_client_first().encode()).decode())
    scram.set_server_first(b64decode(first.removeprefix(b"+ ")).decode())
    final = client._shortcmd(b64encode(scram.get_client_final().encode()).decode())
    scram.set_server_final(b64decode(final.removeprefix(b"+ ")).decode())
    assert client._shortcmd("").startswith(b"+OK")
    client.quit()


def test_a_certificate_without_a_hash_function_binds_nothing(tmp_path: Path) -> None:
    """RFC 5929 §4.1: the binding is not defined for it."""
    pair = self_signed(tmp_path, ed25519_key(), None)
    with Server(users={"linda": "Pa$$123"}, cert=pair, key=pair).in_thread() as server:
        with imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.ssl_context()) as client:
            assert f"AUTH={PLUS}" not in client.capabilities
            assert "AUTH=SCRAM-SHA-256" in client.capabilities
