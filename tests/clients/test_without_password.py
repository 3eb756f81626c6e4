"""Real programs log in by tokens and by certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mektup import Server
from mektup.server import self_signed
from tests.support.certificates import Issuer
from tests.support.tokens import rules, token

from .programs import program

pytest.importorskip("joserfc", reason="the extra oauth is not installed")
SUBJECT = b"Subject: hi"


class Place:
    """A server, and the files of a client."""

    def __init__(self, server: Any, folder: Path, certificate: Path) -> None:
        self.server = server
        self.folder = folder
        self.certificate = certificate
        self.trusted = folder / "trusted.pem"
        """The server's certificate."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    issuer = Issuer(tmp_path)
    certificate, key = self_signed.make("localhost")
    files = {"cert": tmp_path / "trusted.pem", "key": tmp_path / "key.pem"}
    files["cert"].write_bytes(certificate)
    files["key"].write_bytes(key)
    users = {"linda": "Pa$$123"}
    with Server(users=users, oauth=rules(), client_ca=issuer.file, **files).in_thread() as server:
        server.deliver("linda", SUBJECT.decode() + "\n\nx\n")
        yield Place(server, tmp_path, issuer.certificate("linda"))


@pytest.mark.parametrize(("scheme", "path"), [("imaps", "INBOX/;UID=1"), ("pop3s", "1")])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2", "EXTERNAL"])
def test_curl(place: Place, scheme: str, path: str, mechanism: str) -> None:
    url = f"{scheme}://localhost:{place.server.port(scheme)}/{path}"
    proof: list[str | Path] = ["--oauth2-bearer", token(email="linda")]
    if mechanism == "EXTERNAL":
        proof = ["--cert", place.certificate, "--key", place.certificate]
    curl = program("curl", "curl", place.folder)
    options = ("--login-options", f"AUTH={mechanism}", "-u", "linda:")
    assert SUBJECT in curl.run("-sS", "--cacert", place.trusted, *options, *proof, url)


def test_mbsync_by_a_certificate(place: Place) -> None:
    mail = place.folder / "mail"
    mail.mkdir()
    settings = place.folder / "mbsyncrc"
    settings.write_text(
        f"IMAPAccount a\nHost localhost\nPort {place.server.port('imaps')}\nUser linda\nPass none\nSSLType IMAPS\n"
        f"SystemCertificates no\nCertificateFile {place.trusted}\nAuthMechs EXTERNAL\n"
        f"ClientCertificate {place.certificate}\nClientKey {place.certificate}\n\n"
        "IMAPStore far\nAccount a\n\n"
        f"MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\n\n"
        "Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\nSyncState *\n"
    )
    program("mbsync", "isync", place.folder).run("-c", settings, "c")
    assert any(SUBJECT in file.read_bytes() for file in mail.glob("INBOX/*/*"))
