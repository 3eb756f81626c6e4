"""What the transcripts over sockets share."""

from __future__ import annotations

import pytest

from mektup.server import self_signed
from tests.support.sockets import Certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1, made once, since making one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("certificate")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    cert, key = self_signed.make("127.0.0.1")
    made.cert.write_bytes(cert)
    made.key.write_bytes(key)
    return made
