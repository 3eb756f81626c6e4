"""EXTERNAL: the client's certificate names the account."""

from __future__ import annotations

import imaplib
import poplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mektup import Server
from mektup.server.config import ConfigError
from mektup.server.layers.client_names import ClientName, name_in
from tests.support.certificates import Issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@contextmanager
def served(**settings: Any) -> Iterator[Any]:
    users = {"linda": "Pa$$123", "fred@example.com": "Pa$$123"}
    with Server(users=users, **settings).in_thread() as server:
        yield server


def context(server: Any, certificate: Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    made = server.ssl_context()
    if certificate is not None:
        made.load_cert_chain(certificate)
    if version is not None:
        made.maximum_version = version
    return made


def connected(server: Any, certificate: Path | None, version: ssl.TLSVersion | None = None) -> imaplib.IMAP4_SSL:
    return imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=context(server, certificate, version))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_imap(issuer: Issuer, version: ssl.TLSVersion) -> None:
    with served(client_ca=issuer.file) as server:
        with connected(server, issuer.certificate("Linda"), version) as client:
            assert client.capabilities[client.capabilities.index("AUTH=EXTERNAL") + 1].startswith("AUTH=SCRAM")
            assert client.authenticate("EXTERNAL", lambda said: b"")[0] == "OK"
            assert client.select()[0] == "OK"


def test_imap_after_starttls(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server, imaplib.IMAP4(*server.address("imap")) as client:
        assert "AUTH=EXTERNAL" not in client.capabilities
        client.starttls(context(server, issuer.certificate("linda")))
        assert client.authenticate("EXTERNAL", lambda said: b"linda")[0] == "OK"


def test_pop3(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server:
        host, port = server.address("pop3s")
        client = poplib.POP3_SSL(host, port, context=context(server, issuer.certificate("linda")))
        assert client.capa()["SASL"][0] == "EXTERNAL"
        assert client._shortcmd("AUTH EXTERNAL =").startswith(b"+OK")
        client.quit()


def test_the_first_address(issuer: Issuer) -> None:
    certificate = issuer.certificate("linda", emails=["fred@example.com", "linda@example.com"])
    with served(client_ca=issuer.file, client_name="email") as server, connected(server, certificate) as client:
        assert client.authenticate("EXTERNAL", lambda said: b"fred@example.com")[0] == "OK"


def test_no_other_account(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server, connected(server, issuer.certificate("linda")) as client:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHORIZATIONFAILED"):
            client.authenticate("EXTERNAL", lambda said: b"fred@example.com")


def test_no_account(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server, connected(server, issuer.certificate("fred")) as client:
        with pytest.raises(imaplib.IMAP4.error, match=r"AUTHENTICATIONFAILED.*no account of the name"):
            client.authenticate("EXTERNAL", lambda said: b"")


@pytest.mark.parametrize("names", [("linda", "fred"), ("linda", "linda"), ()])
def test_a_certificate_must_name_one_account(issuer: Issuer, names: tuple[str, ...]) -> None:
    with served(client_ca=issuer.file) as server, connected(server, issuer.certificate(*names)) as client:
        assert "AUTH=EXTERNAL" not in client.capabilities


def test_no_certificate_is_needed(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server, connected(server, None) as client:
        assert "AUTH=EXTERNAL" not in client.capabilities
        with pytest.raises(imaplib.IMAP4.error, match="No such mechanism"):
            client.authenticate("EXTERNAL", lambda said: b"linda")
        assert client.login("linda", "Pa$$123")[0] == "OK"


def test_a_certificate_of_another_issuer_does_not_connect(issuer: Issuer, tmp_path: Path) -> None:
    with served(client_ca=issuer.file) as server:
        with pytest.raises((OSError, imaplib.IMAP4.abort)):
            connected(server, Issuer(tmp_path).certificate("linda"))


def test_an_expired_certificate_does_not_connect(issuer: Issuer) -> None:
    with served(client_ca=issuer.file) as server:
        with pytest.raises((OSError, imaplib.IMAP4.abort)):
            connected(server, issuer.certificate("linda", days=-1))


def test_without_the_setting_no_certificate_counts(issuer: Issuer) -> None:
    with served() as server, connected(server, issuer.certificate("linda")) as client:
        assert "AUTH=EXTERNAL" not in client.capabilities


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.pem"
    file.write_text("nothing\n")
    with pytest.raises(ConfigError, match=r"tls\.client_ca: .*empty\.pem"):
        with served(client_ca=file):
            pass
    with pytest.raises(ConfigError, match=r"tls\.client_ca: .*No such file"):
        with served(client_ca=tmp_path / "missing.pem"):
            pass
    with pytest.raises(ConfigError, match="'cn', 'email'"):
        Server(client_ca=file, client_name="uid")


def test_which_name_counts() -> None:
    certificate = {
        "subject": ((("countryName", "TR"),), (("commonName", "linda"),)),
        "subjectAltName": (("DNS", "example.org"), ("email", "linda@example.org"), ("email", "other@example.org")),
    }
    assert name_in(certificate, ClientName.CN) == "linda"
    assert name_in(certificate, ClientName.EMAIL) == "linda@example.org"
    assert name_in({}, ClientName.CN) is name_in({}, ClientName.EMAIL) is None
