"""Certificates: made once, and replaced while the server runs, but never by an invalid pair."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as with_settings
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mektup.server import config, self_signed
from mektup.server.addresses import Service
from mektup.server.config import Config, ConfigError
from mektup.server.self_signed import Pair, pair_under
from mektup.server.tls import Certificates, server_context

from .echo import house


def configured(pair: Pair) -> Config:
    return Config(data=None, listen={}, cert=pair.cert, key=pair.key)


def replace(pair: Pair) -> None:
    cert, key = self_signed.make("other")
    pair.key.write_bytes(key)
    pair.cert.write_bytes(cert)


def test_a_pair_is_made_once(data: Path) -> None:
    first = Certificates(config.default(data))
    second = Certificates(config.default(data))
    assert first.pem == second.pem
    assert b"PRIVATE" not in first.pem
    assert first.days_left > 3000
    assert stat.S_IMODE((data / "tls" / "self-signed.key").stat().st_mode) == 0o600


def test_processes_that_start_together_agree(data: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(lambda _: pair_under(data / "tls", "mektup"), range(8)))
    assert len(set(pairs)) == 1
    assert Certificates(config.default(data)).tls() is not None


def test_memory_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    certificates = Certificates(Config(data=None, listen={}))
    assert certificates.pem.startswith(b"-----BEGIN CERTIFICATE")
    assert not certificates.refresh()
    assert not list(tmp_path.iterdir())


def test_a_replaced_pair_is_taken_up(tmp_path: Path) -> None:
    pair = pair_under(tmp_path, "mektup")
    certificates = Certificates(configured(pair))
    before, pem = certificates.tls(), certificates.pem
    assert not certificates.refresh()
    replace(pair)
    assert certificates.refresh()
    assert certificates.tls() is not before
    assert certificates.pem != pem
    assert not certificates.refresh()


def test_a_half_written_pair_is_not(tmp_path: Path) -> None:
    pair = pair_under(tmp_path, "mektup")
    certificates = Certificates(configured(pair))
    before = certificates.tls()
    pair.key.write_bytes(self_signed.make("other")[1])
    with pytest.raises(ConfigError, match="cannot be used: key values mismatch"):
        certificates.refresh()
    assert certificates.tls() is before
    # it is logged once, and read again after its next change
    assert not certificates.refresh()
    replace(pair)
    assert certificates.refresh()


def test_a_link_that_moves_is_noticed(tmp_path: Path) -> None:
    first, second = pair_under(tmp_path / "1", "mektup"), pair_under(tmp_path / "2", "mektup")
    linked = Pair(tmp_path / "cert", tmp_path / "key")
    linked.cert.symlink_to(first.cert)
    linked.key.symlink_to(first.key)
    certificates = Certificates(configured(linked))
    for link, target in ((linked.cert, second.cert), (linked.key, second.key)):
        link.unlink()
        link.symlink_to(target)
    assert certificates.refresh()


@pytest.mark.parametrize("broken", ["cert", "key"])
def test_a_missing_file_is_named(tmp_path: Path, broken: str) -> None:
    pair = pair_under(tmp_path, "mektup")
    path = getattr(pair, broken)
    path.unlink()
    with pytest.raises(ConfigError, match=f"{path} is not there"):
        Certificates(configured(pair))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda pair: pair.cert.write_text("hello"), "{cert} cannot be used: it holds no certificate"),
        (lambda pair: pair.key.write_text("hello"), "{key} cannot be used: it holds no key"),
        (lambda pair: os.truncate(pair.key, 100), "{key} cannot be used: it holds no key"),
        (
            lambda pair: exchange(pair),
            "{cert} cannot be used: it holds no certificate; tls.cert and tls.key are exchanged",
        ),
    ],
)
def test_the_file_of_a_pair_that_is_at_fault_is_named(
    tmp_path: Path, damage: Callable[[Pair], object], told: str
) -> None:
    pair = pair_under(tmp_path, "mektup")
    damage(pair)
    with pytest.raises(ConfigError) as caught:
        Certificates(configured(pair))
    assert str(caught.value) == f"tls: {told.format(cert=pair.cert, key=pair.key)}"


def exchange(pair: Pair) -> None:
    cert, key = pair.cert.read_bytes(), pair.key.read_bytes()
    pair.cert.write_bytes(key)
    pair.key.write_bytes(cert)


def test_a_certificate_without_its_key_says_which_setting_names_the_key(tmp_path: Path) -> None:
    pair = pair_under(tmp_path, "mektup")
    with pytest.raises(ConfigError) as caught:
        server_context(pair.cert, None)
    assert str(caught.value) == (
        f"tls: {pair.cert} cannot be used: it holds no key; tls.key names the file that has it"
    )


def other_key(pair: Pair) -> None:
    pair.key.write_bytes(self_signed.make("other")[1])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda pair: [path.write_bytes(b"") for path in (pair.cert, pair.key)], "holds no certificate"),
        (lambda pair: os.truncate(pair.cert, 0), "holds no certificate"),
        (lambda pair: os.truncate(pair.cert, 100), "holds no certificate"),
        (lambda pair: os.truncate(pair.key, 100), "holds no key"),
        (lambda pair: pair.key.write_bytes(bytes(pair.key.stat().st_size)), "holds no key"),
        (other_key, "is the key of another certificate"),
        (lambda pair: pair.key.unlink(), "is not there"),
        (lambda pair: pair.cert.unlink(), "is not there"),
    ],
)
def test_an_unusable_self_signed_pair_is_made_again(data: Path, damage: Callable[[Pair], object], reason: str) -> None:
    log: list[dict[str, object]] = []
    before = Certificates(config.default(data)).pem
    damage(Pair(data / "tls" / "self-signed.crt", data / "tls" / "self-signed.key"))
    for _ in range(2):  # the second process finds the whole pair
        certificates = Certificates(config.default(data), structlog.wrap_logger(None, processors=[keep_in(log)]))
        assert certificates.tls() is not None
        assert certificates.pem != before
    assert [(entry["event"], entry["reason"]) for entry in log] == [("certificate_made_anew", reason)]
    assert stat.S_IMODE((data / "tls" / "self-signed.key").stat().st_mode) == 0o600


def test_a_configured_pair_is_never_made(tmp_path: Path) -> None:
    pair = pair_under(tmp_path / "data" / "tls", "mektup")
    os.truncate(pair.cert, 0)
    with pytest.raises(ConfigError, match="cannot be used"):
        Certificates(with_settings(config.default(tmp_path / "data"), cert=pair.cert, key=pair.key))
    assert pair.cert.read_bytes() == b""


def keep_in(log: list[dict[str, object]]) -> structlog.typing.Processor:
    def keep(logger: object, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        log.append(dict(entry))
        raise structlog.DropEvent

    return keep


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        Certificates(config.default(tmp_path / "data"))


async def test_old_protocols_are_refused(server_tls: ssl.SSLContext) -> None:
    assert server_tls.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_tls_renegotiation_is_off(server_tls: ssl.SSLContext) -> None:
    assert server_tls.options & ssl.OP_NO_RENEGOTIATION


async def test_strict_verifiers_accept_it(pair: Pair, server_tls: ssl.SSLContext) -> None:
    client = ssl.create_default_context(cafile=pair.cert)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    async with house(service=Service.IMAPS, context=server_tls) as at:
        for name in ("localhost", "127.0.0.1", "mektup"):
            reader, writer = await asyncio.open_connection("127.0.0.1", at.port, ssl=client, server_hostname=name)
            writer.write(b"quit\r\n")
            assert await reader.read() == b"hello\r\nbye\r\n"
            writer.close()
            await writer.wait_closed()


def test_a_key_that_cannot_be_read_is_named_and_not_the_certificate(tmp_path: Path) -> None:
    pair = pair_under(tmp_path / "pair", "mektup")
    # root can read any file, but nobody can read a directory as a file
    (tmp_path / "tls.key").mkdir()
    with pytest.raises(ConfigError) as caught:
        server_context(pair.cert, tmp_path / "tls.key")
    assert str(tmp_path / "tls.key") in str(caught.value)
    assert str(pair.cert) not in str(caught.value)


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    pair = pair_under(tmp_path, "mektup")
    other = tmp_path / "other.key"
    other.write_bytes(self_signed.make("other")[1])
    with pytest.raises(ConfigError, match=r"the key in .*other\.key is not the key of the certificate in "):
        server_context(pair.cert, other)


def test_a_key_with_a_passphrase_is_an_error_without_a_prompt(tmp_path: Path) -> None:
    pair = pair_under(tmp_path, "mektup")
    key = load_pem_private_key(pair.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match="has a passphrase"):
        server_context(pair.cert, locked)
