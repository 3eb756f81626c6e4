"""``mektup serve --check``: what it finds, what it says to mend it, and that it changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from mektup.backup.unfinished import MARK
from mektup.server import config as configuration
from mektup.server.checking import checks, texts
from mektup.server.checking.finding import Finding, Weight
from mektup.server.checking.identity import identity, unit_settings
from tests.cli.test_init import certify
from tests.server.process import serving
from tests.server.test_workers import with_linda

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root checks for another user")


@pytest.fixture
def house() -> Iterator[Path]:
    """A directory that every user can pass, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def found(house: Path, config: str = "") -> list[Finding]:
    """What is found for this configuration; it listens at one free port where it names none."""
    listen = "" if "[listen]" in config else f'\n[listen]\nimap = ["127.0.0.1:{free_port()}"]\n'
    file = house / "mektup.toml"
    file.write_text(f'data = "data"\n{config}{listen}')
    return list(checks.check(configuration.load(file)))


def only(findings: list[Finding], about: str) -> Finding:
    (one,) = [each for each in findings if each.about == about]
    return one


def bad(findings: list[Finding]) -> list[str]:
    return [each.about for each in findings if each.weight is Weight.ERROR]


def check(house: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mektup", "serve", "--check", "--config", str(house / "mektup.toml")]
    return subprocess.run(words, capture_output=True, text=True, timeout=50)


# The data directory


def test_a_new_server(house: Path) -> None:
    findings = found(house)
    assert not bad(findings)
    assert only(findings, "data").what.english == texts.NO_DATA.english
    assert not (house / "data").exists()


def test_accounts_that_belong_to_the_server(house: Path) -> None:
    with_linda(house)
    findings = found(house)
    assert not bad(findings)
    assert only(findings, "data").weight is Weight.FINE


@as_root
def test_files_of_root_in_the_data_of_another_user(house: Path) -> None:
    with_linda(house)
    for each in (house / "data", *(house / "data").rglob("*")):
        shutil.chown(each, "mail", "mail")
    assert not bad(found(house))
    shutil.chown(house / "data" / "mektup.db", "root")
    finding = only(found(house), "data")
    assert (finding.weight, finding.mending) == (Weight.ERROR, f"chown -R mail: {house}/data")
    assert "mektup.db" in str(finding.what)
    told = check(house)
    assert told.returncode == 1
    assert f"ERROR    data: {finding.what}\n         chown -R mail: {house}/data\n" in told.stdout


def test_a_restore_that_did_not_end(house: Path) -> None:
    with_linda(house)
    (house / "data" / MARK).write_text("20261224T183000")
    finding = only(found(house), "data")
    assert (finding.weight, finding.mending) == (Weight.ERROR, texts.CONTINUE_RESTORE)


@as_root
def test_a_data_directory_that_its_owner_cannot_reach(house: Path) -> None:
    (house / "data").mkdir()
    shutil.chown(house / "data", "mail")
    house.chmod(0o700)
    assert "data" in bad(found(house))


def test_a_data_directory_that_is_none(house: Path) -> None:
    (house / "data").write_text("")
    assert bad(found(house)) == ["data"]


def test_a_data_directory_that_is_open(house: Path) -> None:
    with_linda(house)
    (house / "data").chmod(0o777)
    (finding,) = [each for each in found(house) if each.about == "data" and each.weight is Weight.WARNING]
    assert finding.mending == f"chmod -R go-rwx {house}/data"


# The certificate


def tls(house: Path, *names: str, days: int = 30) -> str:
    certify(house / "c.pem", house / "k.pem", *names, days=days)
    return 'hostname = "mail.example.org"\n[tls]\ncert = "c.pem"\nkey = "k.pem"\n'


def test_a_good_certificate(house: Path) -> None:
    findings = found(house, tls(house, "*.example.org"))
    assert not bad(findings)
    assert only(findings, "tls").weight is Weight.FINE
    assert not [each for each in findings if each.about == "hostname"]


@pytest.mark.parametrize(("days", "weight"), [(-1, Weight.ERROR), (3, Weight.WARNING)])
def test_a_certificate_that_ends(house: Path, days: int, weight: Weight) -> None:
    assert only(found(house, tls(house, "mail.example.org", days=days)), "tls").weight is weight


def test_a_certificate_of_another_name(house: Path) -> None:
    finding = only(found(house, tls(house, "www.example.net")), "hostname")
    assert finding.weight is Weight.WARNING
    assert "www.example.net" in str(finding.what)


def test_a_key_of_another_certificate(house: Path) -> None:
    config = tls(house, "mail.example.org")
    certify(house / "other.pem", house / "k.pem", "mail.example.org")
    assert bad(found(house, config)) == ["tls"]


def test_a_certificate_that_is_not_there(house: Path) -> None:
    assert bad(found(house, '[tls]\ncert = "c.pem"\n')) == ["tls"]


@as_root
def test_a_key_that_the_user_of_the_server_cannot_read(house: Path) -> None:
    (house / "data").mkdir()
    shutil.chown(house / "data", "mail")
    config = tls(house, "mail.example.org")
    finding = only(found(house, config), "tls")
    assert finding.weight is Weight.ERROR
    assert "k.pem" in str(finding.what)
    (house / "k.pem").chmod(0o640)
    shutil.chown(house / "k.pem", group="ssl-cert" if os.path.exists("/etc/ssl/private") else "adm")
    finding = only(found(house, config), "tls")
    assert "SupplementaryGroups=" in str(finding.mending)
    shutil.chown(house / "k.pem", group="mail")
    assert only(found(house, config), "tls").weight is Weight.FINE


# Addresses


def test_a_port_that_another_program_has(house: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        finding = only(found(house, f'[listen]\nimap = ["127.0.0.1:{port}"]\n'), "listen.imap")
        assert finding.weight is Weight.ERROR
        assert f"process {os.getpid()}" in str(finding.what)


def test_an_address_of_another_machine(house: Path) -> None:
    assert bad(found(house, '[listen]\nimap = ["192.0.2.1:1143"]\n')) == ["listen.imap"]


def test_a_file_in_place_of_a_socket(house: Path) -> None:
    (house / "lmtp").write_text("")
    assert bad(found(house, '[listen]\nlmtp = ["unix:lmtp"]\n')) == ["listen.lmtp"]
    (house / "lmtp").unlink()
    assert not bad(found(house, '[listen]\nlmtp = ["unix:lmtp"]\n'))


@pytest.mark.parametrize("workers", [1, 2], ids=["one process", "two workers"])
def test_a_server_that_runs_is_not_disturbed(house: Path, workers: int) -> None:
    with_linda(house)
    with serving(house, workers=workers) as process:
        config = house / "mektup.toml"
        port = process.ports["imap"]
        config.write_text(f'data = "data"\n[listen]\nimap = ["127.0.0.1:{port}"]\nlmtp = ["unix:lmtp.sock"]\n')
        before = tree(house)
        told = check(house)
        assert told.returncode == 0, told.stdout
        assert tree(house) == before
        assert f"ok       serve: a server is running, process {process.pid}\n" in told.stdout
        assert f"ok       listen.imap: 127.0.0.1:{port} belongs to the running server\n" in told.stdout
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            assert client.recv(100).startswith(b"* OK")


def tree(house: Path) -> dict[str, tuple[int, int, int, int]]:
    """Each file with its inode, mode, size and time of change."""
    seen = {}
    for path in house.rglob("*"):
        status = path.lstat()
        seen[str(path)] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return seen


def test_it_changes_nothing(house: Path) -> None:
    with_linda(house)
    config = tls(house, "mail.example.org")
    (house / "data" / "run").mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(house / "data" / "run" / "1-dead.control"))
    before = tree(house)
    assert not bad(found(house, config))
    (house / "mektup.toml").unlink()
    assert tree(house) == before


# The machine


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "weight"), [(1 << 20, Weight.ERROR), (1 << 29, Weight.WARNING), (1 << 40, Weight.FINE)]
)
def test_the_space_on_the_disk(house: Path, monkeypatch: pytest.MonkeyPatch, free: int, weight: Weight) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 50, 0, free))
    assert [each.weight for each in checks.disk(house / "none" / "yet")] == [weight]


def test_a_clock_that_went_back(house: Path) -> None:
    with_linda(house)
    assert not bad(found(house))
    tomorrow = time.time() + 86400
    os.utime(house / "data" / "mektup.db", (tomorrow, tomorrow))
    assert bad(found(house)) == ["clock"]


def test_few_open_files(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.store.system.highest_descriptors", lambda: 1024)
    assert only(found(house), "open files").weight is Weight.WARNING


# Other mistakes


def test_a_configuration_that_cannot_be_used(house: Path) -> None:
    (house / "mektup.toml").write_text("workers = -1\n")
    told = check(house)
    assert (told.returncode, told.stdout) == (1, "")
    assert "workers" in told.stderr


def test_what_cannot_be_hidden(house: Path) -> None:
    assert bad(found(house, '[hide]\nimaps = ["NONSENSE"]\n')) == ["hide"]


def test_keys_of_an_issuer_that_are_not_there(house: Path) -> None:
    findings = found(house, '[oauth]\nissuer = "i"\njwks = "none.json"\naudience = "a"\n')
    assert bad(findings) == ["oauth.jwks"]


@as_root
def test_a_log_that_the_user_of_the_server_cannot_make(house: Path) -> None:
    (house / "data").mkdir()
    shutil.chown(house / "data", "mail")
    log = f'[log]\nfile = "{house}/log"\n'
    assert bad(found(house, log)) == ["log.file"]
    (house / "log").write_text("")
    shutil.chown(house / "log", "mail")
    assert not bad(found(house, log))


@as_root
def test_the_user_and_the_groups_of_the_unit(house: Path) -> None:
    (house / "data").mkdir()
    (house / "mektup.service").write_text("[Service]\nUser=mail\nSupplementaryGroups=adm\n")
    (house / "mektup.service.d").mkdir()
    (house / "mektup.service.d" / "own.conf").write_text("[Service]\nSupplementaryGroups=www-data 7\n")
    assert unit_settings("SupplementaryGroups", [house]) == ["adm", "www-data", "7"]
    who = identity(house / "data", [house])
    assert who.name == "mail"
    assert {4, 33, 7} <= set(who.groups)
