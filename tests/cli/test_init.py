"""``mektup init``: what it finds, what it writes, and that a server runs under the restrictions that it writes."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mektup.cli.init import postfix
from mektup.cli.init.certificates import best, pairs
from mektup.cli.init.config_file import certificate_hook, config_text, rotation
from mektup.cli.init.found import Machine, domain_of, found_hostname
from mektup.cli.init.plan import COPIES, is_open, plan
from mektup.cli.init.steps import State
from mektup.cli.init.unit import unit, word
from mektup.server import config as configuration
from mektup.server.certificate_files import fits, group_with_access
from tests.cli import confined

MACHINE = Machine(
    hostname="mail.example.org",
    domain="example.org",
    pair=None,
    user="mail",
    user_exists=True,
    command=("/usr/bin/env",),
    systemd=True,
    postfix=False,
    fail2ban=False,
    logrotate=True,
)

analyzed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users' rights to give")


def certify(cert: Path, key: Path, *names: str, days: int = 30, mode: int = 0o600) -> None:
    """Writes a certificate for *names* that ends in *days*."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .sign(secret, SHA256())
    )
    for path in (cert, key):
        path.parent.mkdir(parents=True, exist_ok=True)
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(mode)


def certbot(root: Path, directory: str, *names: str, days: int = 30) -> Path:
    live = root / "etc/letsencrypt/live" / directory
    certify(live / "fullchain.pem", live / "privkey.pem", *names, days=days)
    return live


def snake_oil(root: Path, name: str) -> None:
    certify(
        root / "etc/ssl/certs/ssl-cert-snakeoil.pem", root / "etc/ssl/private/ssl-cert-snakeoil.key", name, mode=0o640
    )


# What it finds


def test_the_certificate_of_the_name_that_lasts_longest(tmp_path: Path) -> None:
    certbot(tmp_path, "other", "other.example.org", days=300)
    certbot(tmp_path, "old", "mail.example.org", days=5)
    newest = certbot(tmp_path, "wild", "*.example.org", days=60)
    certbot(tmp_path, "ended", "mail.example.org", days=-1)
    snake_oil(tmp_path, "mail.example.org")
    found = best(pairs(tmp_path), "mail.example.org")
    assert found is not None
    assert (found.cert, found.key) == (newest / "fullchain.pem", newest / "privkey.pem")
    assert best(pairs(tmp_path), "mail.example.net") is None


def test_a_certificate_of_ssl_cert_where_certbot_has_none(tmp_path: Path) -> None:
    snake_oil(tmp_path, "mail.example.org")
    found = best(pairs(tmp_path), "mail.example.org")
    assert found is not None
    assert found.cert.name == "ssl-cert-snakeoil.pem"


def test_a_file_that_is_no_certificate_fits_nothing(tmp_path: Path) -> None:
    live = certbot(tmp_path, "broken", "mail.example.org")
    (live / "fullchain.pem").write_text("nonsense")
    assert best(pairs(tmp_path), "mail.example.org") is None


@pytest.mark.parametrize(
    ("names", "hostname", "expected"),
    [
        (["mail.example.org"], "MAIL.example.org.", True),
        (["*.example.org"], "mail.example.org", True),
        (["*.example.org"], "a.mail.example.org", False),
        (["*.example.org"], "example.org", False),
        (["example.org"], "mail.example.org", False),
        ([], "localhost", False),
    ],
)
def test_which_names_fit(names: list[str], hostname: str, expected: bool) -> None:
    assert fits(names, hostname) is expected


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can pass, unlike those of pytest."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@as_root
def test_the_group_that_may_read_a_key(open_directory: Path) -> None:
    key = open_directory / "private" / "mail.key"
    key.parent.mkdir(mode=0o710)
    key.write_text("")
    shutil.chown(key, group="mail")
    shutil.chown(key.parent, group="mail")
    key.chmod(0o640)
    assert group_with_access(key) == "mail"
    shutil.chown(key.parent, group="root")
    assert group_with_access(key) is None, "the directory is closed to the group"
    shutil.chown(key.parent, group="mail")
    key.chmod(0o600)
    assert group_with_access(key) is None
    assert group_with_access(open_directory / "missing") is None


@pytest.mark.parametrize(
    ("hostname", "domain"), [("mail.example.org", "example.org"), ("example.org", "example.org"), ("vm", "vm")]
)
def test_the_domain_of_a_name(hostname: str, domain: str) -> None:
    assert domain_of(hostname) == domain


def test_the_only_certificate_names_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("localhost", "localhost.localdomain")
    monkeypatch.setattr("mektup.cli.init.found.names_of_this_machine", lambda: names)
    monkeypatch.setattr("mektup.cli.init.found.said_by", lambda *words: "")
    assert found_hostname(tmp_path) == "localhost"
    certbot(tmp_path, "mail.example.org", "mail.example.org")
    assert found_hostname(tmp_path) == "mail.example.org"


# What it writes


def test_the_configuration_that_it_writes_is_one(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    text = config_text(Path('/srv/ma"il'), "mail.example.org", Path("/etc/a.crt"), Path("/etc/a.key"), file)
    config = configuration.parsed(text, file)
    assert (config.data, config.hostname) == (Path('/srv/ma"il'), "mail.example.org")
    assert (config.cert, config.key) == (Path("/etc/a.crt"), Path("/etc/a.key"))


def test_each_line_in_comments_is_one_that_the_server_knows(tmp_path: Path) -> None:
    text = config_text(tmp_path, "mail.example.org", None, None, tmp_path / "mektup.toml")
    config = configuration.parsed(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE), tmp_path / "mektup.toml")
    assert config.cert is not None
    assert config.quota


def text_of(config: str, tmp_path: Path, machine: Machine = MACHINE, group: str | None = None) -> str:
    file = tmp_path / "mektup.toml"
    return unit(machine, configuration.parsed(config, file), file, group)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('data = "/var/lib/mektup"', ["StateDirectory=mektup"]),
        ('data = "/var/lib/mail/mektup"', ["StateDirectory=mail/mektup"]),
        ('data = "/srv/mail"', ["ReadWritePaths=/srv/mail"]),
        ('data = "/srv/our mail"', ['ReadWritePaths="/srv/our mail"']),
        (
            'data = "/var/lib/mektup"\n[listen]\nlmtp = ["unix:/run/mektup/lmtp"]',
            ["StateDirectory=mektup", "RuntimeDirectory=mektup", "RuntimeDirectoryMode=0750"],
        ),
        (
            'data = "/srv/mail"\n[listen]\nlmtp = ["unix:/var/spool/postfix/mektup/lmtp"]',
            ["ReadWritePaths=/srv/mail /var/spool/postfix/mektup"],
        ),
        ('data = "/var/lib/m"\n[log]\nfile = "/var/log/mektup/log"', ["StateDirectory=m", "LogsDirectory=mektup"]),
        ('data = "/home/mail"', ["ReadWritePaths=/home/mail", "ProtectHome=read-only"]),
        ('data = "/var/lib/mektup"', ["ProtectHome=yes", "User=mail"]),
        ('data = "/var/lib/m"\n[limits]\nstop_seconds = 60.0', ["TimeoutStopSec=80"]),
    ],
)
def test_the_unit_has_what_the_configuration_needs(config: str, expected: list[str], tmp_path: Path) -> None:
    lines = text_of(config, tmp_path).splitlines()
    assert set(expected) <= set(lines)
    unwanted = ("StateDirectory=", "RuntimeDirectory=", "LogsDirectory=", "ReadWritePaths=")
    assert not [
        line
        for line in lines
        if line.startswith(unwanted) and line not in [*expected, "StateDirectory=m", "StateDirectory=mektup"]
    ]


def test_the_group_of_the_key_is_in_the_unit(tmp_path: Path) -> None:
    assert "SupplementaryGroups=ssl-cert\n" in text_of('data = "/var/lib/m"', tmp_path, group="ssl-cert")
    assert "SupplementaryGroups" not in text_of('data = "/var/lib/m"', tmp_path)


@pytest.mark.parametrize(("text", "written"), [("/a b", '"/a b"'), ("/100%", "/100%%"), ('/a"b', '"/a\\"b"')])
def test_words_of_a_unit(text: str, written: str) -> None:
    assert word(text) == written


@analyzed
@pytest.mark.parametrize(
    "config",
    [
        'data = "/var/lib/mektup"',
        'data = "/srv/our mail"\n[listen]\nlmtp = ["unix:/run/mektup/lmtp"]\n[log]\nfile = "/var/log/mektup/log"',
    ],
)
def test_systemd_takes_the_unit_and_finds_it_safe(config: str, tmp_path: Path) -> None:
    path = tmp_path / "mektup.service"
    path.write_text(text_of(config, tmp_path))
    verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", path], capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout


def test_the_hook_copies_a_renewed_pair(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files to a group")
    live = certbot(tmp_path, "it's mail", "mail.example.org")
    copies, hook = tmp_path / "copies", tmp_path / "hook"
    hook.write_text(certificate_hook(live, copies, "nobody"))

    def run(**environment: str) -> None:
        subprocess.run(["sh", str(hook)], check=True, env={"PATH": os.environ["PATH"], **environment})

    run()
    certify(live / "fullchain.pem", live / "privkey.pem", "mail.example.org")
    run(RENEWED_LINEAGE="/etc/letsencrypt/live/other")
    assert (copies / "privkey.pem").read_bytes() != (live / "privkey.pem").read_bytes(), "that was another certificate"
    run(RENEWED_LINEAGE=str(live))
    for name in ("fullchain.pem", "privkey.pem"):
        assert (copies / name).read_bytes() == (live / name).read_bytes()
        assert (copies / name).stat().st_mode & 0o777 == 0o640
        assert (copies / name).group() == "nogroup"
    assert sorted(each.name for each in copies.iterdir()) == ["fullchain.pem", "privkey.pem"]


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
@as_root
def test_logrotate_takes_its_file(open_directory: Path) -> None:
    path, log = open_directory / "mektup", open_directory / "logs" / "the log"
    log.parent.mkdir()
    log.write_text("line\n")
    for each in (log.parent, log):
        shutil.chown(each, "mail", "mail")
    path.write_text(rotation(log, "mail", "mail"))
    subprocess.run(["logrotate", "--force", "--state", open_directory / "state", path], check=True)
    assert not log.exists(), "the server makes a new one"
    assert log.with_name("the log.1").read_text() == "line\n"


def test_what_postfix_is_told_where_it_can_ask(tmp_path: Path) -> None:
    text = config_text(tmp_path, "mail.example.org", None, None, tmp_path / "mektup.toml", postfix=True)
    config = configuration.parsed(text, tmp_path / "mektup.toml")
    told = list(postfix.commands(config, MACHINE, "vm"))
    assert told[:2] == ["adduser postfix mail", "postconf -e 'myhostname = mail.example.org'"]
    assert "postconf -e 'virtual_mailbox_maps = proxy:socketmap:unix:/run/mektup/socketmap:recipients'" in told
    assert "postconf -e 'smtpd_sasl_path = /run/mektup/sasl'" in told
    assert not any("reject_unverified_recipient" in line for line in told)
    inet = configuration.parsed('data = "d"\n[listen]\nsasl = ["[::1]:26"]', tmp_path / "mektup.toml")
    told = list(postfix.commands(inet, MACHINE, "vm"))
    assert "postconf -e 'smtpd_sasl_path = inet:[::1]:26'" in told
    assert not any("adduser" in line or "login_maps" in line or "sender_restrictions" in line for line in told)


def test_what_postfix_is_told(tmp_path: Path) -> None:
    config = configuration.parsed('data = "d"\n[listen]\nlmtp = ["[::1]:24"]', tmp_path / "mektup.toml")
    told = list(postfix.commands(config, MACHINE, "mail.example.org"))
    assert "postconf -e 'virtual_mailbox_domains = example.org'" in told
    assert "postconf -e 'virtual_transport = lmtp:inet:[::1]:24'" in told
    assert "postconf -e 'mydestination = $myhostname, localhost'" in told
    assert any("reject_unverified_recipient" in line for line in told)
    same = list(postfix.commands(config, MACHINE, "example.org"))
    assert "postconf -e 'mydestination = localhost'" in same, "else Postfix keeps the mail of the domain"


# What it plans


def test_a_key_of_certbot_is_copied_for_the_user(tmp_path: Path) -> None:
    live = certbot(tmp_path, "mail", "mail.example.org")
    (live / "privkey.pem").chmod(0o600)
    machine = replace(MACHINE, pair=best(pairs(tmp_path), "mail.example.org"))
    made = plan(machine, tmp_path / "mektup.toml", tmp_path / "data")
    assert made.config.cert == COPIES / "fullchain.pem"
    texts = {str(step.path): step.content for step in made.steps if step.path is not None}
    assert str(live) in texts["/etc/letsencrypt/renewal-hooks/deploy/mektup"]


def test_an_existing_configuration_stays_and_counts(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text(f'data = "{tmp_path}/mine"\nhostname = "post.example.net"\n[log]\nfile = "{tmp_path}/the.log"\n')
    made = plan(MACHINE, file, tmp_path / "mine")
    states = {str(step.path): step.state for step in made.steps if step.path is not None}
    assert states[str(file)] is State.DONE
    assert made.config.hostname == "post.example.net"
    rotated = next(step for step in made.steps if step.path == Path("/etc/logrotate.d/mektup"))
    assert rotated.content.startswith(f"{tmp_path}/the.log {{")


def init(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mektup", "init", *map(str, words)], capture_output=True, text=True, timeout=50
    )


def test_print_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    done = init("--print", "--config", file, "--data", tmp_path / "data", "--hostname", "mail.example.org")
    assert done.returncode == 0
    assert f"# ---- {file}\n" in done.stdout
    assert f"user add linda --config {file}" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--hostname", "a b"], "--hostname"),
        (["--key", "/etc/a.key"], "--key needs --cert"),
    ],
)
def test_wrong_arguments(words: list[str], problem: str) -> None:
    done = init("--print", *words)
    assert (done.returncode, problem in done.stderr) == (2, True)


def test_a_configuration_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "mektup.toml").write_text("dat = 1")
    done = init("--print", "--config", tmp_path / "mektup.toml")
    assert done.returncode == 1
    assert "did you mean data?" in done.stderr


# On this machine, in namespaces of mounts and network


@pytest.fixture(scope="module")
def confined_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], dict[str, object]]:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "-n", "true"], capture_output=True).returncode:
        pytest.skip("namespaces need root")
    missing = [name for name in ("setpriv", "useradd", "systemd-analyze") if shutil.which(name) is None]
    if missing or not list(Path("/usr/lib").glob("*/libseccomp.so.2")):
        pytest.skip(f"missing: {missing or 'libseccomp'}")
    if not Path(sys.executable).with_name("mektup").exists():
        pytest.skip("the command mektup is not installed")
    # the service's user must reach the program, and it writes nothing below /etc of this machine
    if not is_open(Path(sys.executable)):
        pytest.skip("another user cannot run this Python")
    place = tmp_path_factory.mktemp("confined")
    script = 'cp -a /etc "$1/etc"; mount --bind "$1/etc" /etc; exec "$2" "$3" drive'
    empty = "mount -t tmpfs none /var/lib; mount -t tmpfs none /run; "
    done = subprocess.run(
        ["unshare", "-m", "-n", "sh", "-ec", empty + script, "sh", place, sys.executable, confined.__file__],
        capture_output=True,
        text=True,
        timeout=170,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    if "PR_SET_MDWE" in done.stderr:
        pytest.skip("the kernel is older than 6.3")
    assert done.returncode == 0, done.stderr
    seen: dict[str, object] = json.loads(done.stdout)
    return lambda: seen


@pytest.mark.timeout(180)
def test_a_server_runs_under_the_restrictions_of_its_unit(confined_run: Callable[[], dict[str, object]]) -> None:
    seen = confined_run()
    assert seen["found"] == "1 2"
    assert seen["sessions"] == 2
    assert seen["said"] == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert seen["status"] == 0
    assert not re.findall(r"\[(?:warning|error|critical) *\].*", str(seen["log"]))
    assert seen["limits"] == {
        "CapEff": "0000000000000400",
        "CapBnd": "0000000000000400",
        "CapAmb": "0000000000000400",
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }


@pytest.mark.timeout(180)
def test_all_that_the_service_uses_is_its_own(confined_run: Callable[[], dict[str, object]]) -> None:
    assert confined_run()["owners"] == [["mektup", "600"], ["mektup", "644"], ["mektup", "700"]]


@pytest.mark.timeout(180)
def test_a_second_run_does_nothing(confined_run: Callable[[], dict[str, object]]) -> None:
    seen = confined_run()
    assert "to do: the system user mektup" in str(seen["first"])
    assert "to do:" not in str(seen["second"])
    assert "there is nothing to do" in str(seen["second"])
    assert seen["same"]
