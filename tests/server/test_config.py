"""The configuration file: its values, and that every error names the key and what is allowed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mektup import Server
from mektup.auth.plaintext import Plaintext
from mektup.server import config
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import ConfigError
from mektup.server.tuning.switches import Tuning
from mektup.terms.delivery import DeliveryRules
from mektup.terms.limits import Limits
from mektup.terms.networks import networks
from mektup.terms.quota import Resource


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mektup.toml"


def test_a_file_with_every_key(file: Path) -> None:
    file.write_text("""
data = "mail"
workers = 4
hostname = "mail.example.org"
compression = 3
administrators = ["Linda", "root@example.org"]
contact = "mailto:postmaster@example.org"
[listen]
imap = ["*:143", "[::1]:1143"]
lmtp = ["unix:lmtp.sock", "localhost:24"]
[tls]
cert = "chain.pem"
key = "/etc/key.pem"
[auth]
plaintext = "never"
trusted = ["192.0.2.9", "unix"]
[proxy_from]
imaps = ["10.0.0.0/8", "2001:db8::/32"]
[lmtp]
trace = false
detail_folders = false
[quota]
storage = "5 GiB"
messages = 100000
mailboxes = 0
[log]
level = "debug"
format = "json"
[tuning]
busy_poll = false
inline_wakeup = false
freeze_objects = false
trim_memory = false
[limits]
idle_seconds = 2000
message_bytes = 1000
sync_flags = true
""")
    read = config.load(file)
    assert read.data == file.parent / "mail"
    assert read.contact == "mailto:postmaster@example.org"
    assert read.administrators == {"linda", "root@example.org"}
    assert read.quota == {Resource.STORAGE: 5 * 2**30, Resource.MESSAGE: 100_000, Resource.MAILBOX: 0}
    assert (read.workers, read.hostname, read.compression) == (4, "mail.example.org", 3)
    assert read.listen[Service.IMAP] == (Endpoint("", 143), Endpoint("::1", 1143))
    assert read.listen[Service.LMTP] == (Endpoint(path=file.parent / "lmtp.sock"), Endpoint("localhost", 24))
    assert read.listen[Service.POP3] == ()
    assert (read.cert, read.key) == (file.parent / "chain.pem", Path("/etc/key.pem"))
    assert read.plaintext is Plaintext.NEVER
    assert read.trusted.has("192.0.2.9")
    assert read.trusted.has("unix")
    assert not read.trusted.has("192.0.2.8")
    assert read.proxy_from == {Service.IMAPS: networks(["10.0.0.0/8", "2001:db8::/32"])}
    assert read.delivery == DeliveryRules(trace=False, detail_folders=False)
    assert (read.log_level, read.log_format) == ("debug", "json")
    assert read.tuning == Tuning(busy_poll=False, inline_wakeup=False, freeze_objects=False, trim_memory=False)
    assert read.limits == Limits(idle_seconds=2000.0, message_bytes=1000, sync_flags=True)


def test_an_empty_file_is_the_default(file: Path, tmp_path: Path) -> None:
    file.write_text("")
    read = config.load(file)
    assert read == config.default(tmp_path / "mektup-data")
    assert read.listen[Service.IMAP] == (Endpoint("127.0.0.1", 1143),)
    assert read.listen[Service.IMAPS] == (Endpoint("127.0.0.1", 1993),)
    assert read.listen[Service.POP3] == (Endpoint("127.0.0.1", 1110),)
    assert read.listen[Service.POP3S] == (Endpoint("127.0.0.1", 1995),)
    assert read.listen[Service.LMTP] == (Endpoint("127.0.0.1", 1024),)
    assert read.listen[Service.METRICS] == ()
    assert read.plaintext is Plaintext.LOOPBACK
    assert read.delivery == DeliveryRules(trace=True, detail_folders=True)
    assert read.compression is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('datta = "x"', ["unknown key datta", "did you mean data?"]),
        ('colour = "x"', ["unknown key colour", "allowed here: administrators, auth, compression, contact, data"]),
        ("idle_seconds = 3", ["unknown key idle_seconds", "did you mean limits.idle_seconds?"]),
        ("[limits]\nidle_secnds = 3", ["unknown key limits.idle_secnds", "did you mean limits.idle_seconds?"]),
        ("[limits]\nidle_seconds = 'x'", ["limits.idle_seconds", "expected number, got string"]),
        ("[limits]\nline_bytes = 1.5", ["limits.line_bytes", "expected whole number"]),
        ("[limits]\nline_bytes = 0", ["limits.line_bytes", "more than 0"]),
        ("[limits]\nidle_seconds = nan", ["limits.idle_seconds", "more than 0"]),
        ("[lmtp]\ntrace = 1", ["lmtp.trace", "expected true or false"]),
        ("[tuning]\nbusy_poll = 1", ["tuning.busy_poll", "expected true or false"]),
        ("[tuning]\nbusypoll = true", ["unknown key tuning.busypoll", "did you mean tuning.busy_poll?"]),
        ("[lmtp]\ntraces = true", ["unknown key lmtp.traces", "did you mean lmtp.trace?"]),
        ("[limits]\nsync_flags = 1", ["limits.sync_flags", "expected true or false"]),
        ("workers = -1", ["workers", "expected 0"]),
        ("compression = 20", ["compression", "expected 0 (none) to 19, got 20"]),
        ("hostname = 3", ["hostname", "expected string"]),
        ("listen = 3", ["listen", "expected table"]),
        (
            '[listen]\nimap = "127.0.0.1:143"',
            ["listen.imap", "expected array, got string", 'in brackets: ["127.0.0.1:1143"]'],
        ),
        ("[listen]\nimap = [143]", ["listen.imap[0]", "expected string"]),
        ('[listen]\nimap = ["143"]', ["listen.imap", '"host:port"', '"143"']),
        ('[listen]\nimap = ["localhost:99999"]', ["listen.imap", '"host:port"']),
        ('[listen]\nimap = ["::1:143"]', ["listen.imap", "brackets"]),
        ('[listen]\nlmtp = ["unix:"]', ["listen.lmtp", '"unix:/path"']),
        ('[listen]\nimaps2 = ["a:1"]', ["unknown key listen.imaps2", "did you mean listen.imaps?"]),
        ('[auth]\nplaintext = "yes"', ["auth.plaintext", "'yes'", "'loopback', 'always', 'never'"]),
        ('[auth]\ntrusted = ["10.0.0.1/8"]', ["auth.trusted", '"10.0.0.0/8"', '"10.0.0.1/8"']),
        ('[auth]\ntrusted = ["web.example.org"]', ["auth.trusted", "network", '"web.example.org"']),
        ('[auth]\ntrusted = "10.0.0.0/8"', ["auth.trusted", "array", 'in brackets: ["10.0.0.0/8"]']),
        ('[proxy_from]\nimap = ["fe80::1%eth0/64"]', ["proxy_from.imap", "network"]),
        ('[proxy_from]\nmetrics = ["10.0.0.0/8"]', ["unknown key proxy_from.metrics", "did you mean listen.metrics?"]),
        ('[log]\nlevel = "loud"', ["log.level", "'loud'", "'warning'"]),
        ('[tls]\nkey = "k"', ["tls.key", "tls.cert"]),
        ("workers = 100000", ["workers", "up to 512", "100000"]),
        ("[limits]\nline_bytes = true", ["limits.line_bytes", "expected whole number"]),
        ("[limits]\nline_bytes = '10'", ["limits.line_bytes", "expected whole number, got string"]),
        ("[limits]\nidle_seconds = inf", ["limits.idle_seconds", "at most", "got inf"]),
        ("[limits]\nidle_seconds = 1e12", ["limits.idle_seconds", "at most 31622400"]),
        ("[limits]\nstop_seconds = -1", ["limits.stop_seconds", "more than 0"]),
        ("[limits]\nmessage_bytes = 1073741825", ["limits.message_bytes", "at most 1073741824"]),
        ("[limits]\nmessage_bytes = 9223372036854775807", ["limits.message_bytes", "at most 1073741824"]),
        ("[limits]\nconnections = 1000000000000", ["limits.connections", "at most 10000000"]),
        ('hostname = ""', ["hostname", "got nothing"]),
        ('hostname = "a\\r\\nb"', ["hostname", "printable"]),
        ('hostname = "a b"', ["hostname", "host name"]),
        ('hostname = "a..b"', ["hostname", "host name"]),
        ('hostname = ".a"', ["hostname", "host name"]),
        ('hostname = "a."', ["hostname", "host name"]),
        ('hostname = "-a.org"', ["hostname", "host name"]),
        ('hostname = "a_b.org"', ["hostname", "host name"]),
        ('hostname = "[192.0.2.300]"', ["hostname", "host name"]),
        ('hostname = "[2001:db8::1]"', ["hostname", "host name"]),
        ('hostname = "[IPv6:fe80::1%eth0]"', ["hostname", "host name"]),
        (f'hostname = "{"a" * 64}.org"', ["hostname", "63 octets"]),
        (f'hostname = "{"a." * 128}org"', ["hostname", "255 octets"]),
        (f'hostname = "{"a" * 70000}"', ["hostname", "255 octets"]),
        ('hostname = "posta.örnek.org"', ["hostname", "ASCII", "posta.xn--rnek-4qa.org"]),
        ('data = ""', ["data", "got nothing"]),
        ('data = "a\\u0000b"', ["data", "printable"]),
        ('[tls]\ncert = ""', ["tls.cert", "got nothing"]),
        ('[quota]\nstorage = "much"', ["quota.storage", "a size in octets", '"much"']),
        ("[quota]\nstorage = 1.5", ["quota.storage", "a size in octets"]),
        ("[quota]\nmessages = -1", ["quota.messages", "0 (none) to"]),
        ('[quota]\nmailboxes = "5"', ["quota.mailboxes", "whole number"]),
        ('contact = "postmaster"', ["contact", "a URI such as", '"postmaster"']),
        ('administrators = "linda"', ["administrators", "array"]),
        ("[listen]", ["listen", "at least one service"]),
        ("listen = {}", ["listen", "at least one service"]),
        ("[listen]\nimap = []\nlmtp = []", ["listen", "at least one service"]),
        ('[listen]\nimap = ["a:143", "a:143"]', ["listen.imap", "a:143", "taken already"]),
        ('[listen]\nimap = ["a:143"]\npop3 = ["a:143"]', ["listen.pop3", "a:143", "listen.imap"]),
        ('[listen]\nimap = ["*:143"]\npop3 = ["a:143"]', ["listen.pop3", "a:143", "listen.imap"]),
        ('[listen]\nlmtp = ["unix:a"]\npop3 = ["unix:./a"]', ["listen.", "taken already"]),
        ('[listen]\nimap = ["a:65536"]', ["listen.imap", "65535"]),
        ('[listen]\nimap = ["a:-1"]', ["listen.imap", '"host:port"']),
        (f'[listen]\nimap = ["a:{"9" * 5000}"]', ["listen.imap", "65535"]),
        ("data = mail", ["line 1", "column 8"]),
    ],
)
def test_errors_name_the_key_and_what_is_allowed(file: Path, text: str, words: list[str]) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        config.load(file)


def test_a_file_that_is_not_text(file: Path) -> None:
    file.write_bytes(b"data = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8 at octet 9"):
        config.load(file)


@pytest.mark.parametrize("value", ["[" * 50_000, "1" * 5000], ids=["too deep", "too many digits"])
def test_a_value_that_the_library_cannot_read(file: Path, value: str) -> None:
    file.write_text(f"workers = {value}")
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("127.0.0.1", 143), "127.0.0.1:143"),
        (Endpoint("::1", 143), "[::1]:143"),
        (Endpoint("", 143), "*:143"),
        (Endpoint(path=Path("/run/lmtp")), "unix:/run/lmtp"),
    ],
)
def test_an_endpoint_is_written_as_it_is_read(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text
    assert config.endpoint(text, Path("/")) == endpoint


def test_0_is_allowed_only_where_it_means_off(file: Path) -> None:
    file.write_text("[limits]\npassword_remembered_seconds = 0\n")
    assert config.load(file).limits.password_remembered_seconds == 0


@pytest.mark.parametrize(
    "name",
    [
        "mektup",
        "mail.example.org",
        "MAIL.example.ORG",
        "1.example",
        "xn--rnek-4qa.org",
        "a-b.c",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "a" * 63,
        ".".join(["a" * 63] * 3) + "." + "b" * 63,
    ],
)
def test_a_hostname_is_a_domain_or_an_address(file: Path, name: str) -> None:
    file.write_text(f'hostname = "{name}"\n')
    assert config.load(file).hostname == name


@pytest.mark.parametrize("name", ["", "a\r\nb", "a" * 70_000, "a b", "ö.org"])
def test_the_hostname_of_an_embedded_server_is_checked_too(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^hostname: expected "):
        Server(hostname=name)


def test_the_limits_of_an_embedded_server_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^limits\.message_bytes: expected at most 1073741824"):
        Server(limits=Limits(message_bytes=2**30 + 1))


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits) if field.type != "bool"])
def test_every_limit_has_a_range(file: Path, field: str) -> None:
    for absurd in ("-1", "1e300", "nan", "inf", "'many'", "true", "[]", "99999999999999999999999"):
        file.write_text(f"[limits]\n{field} = {absurd}\n")
        with pytest.raises(ConfigError) as caught:
            config.load(file)
        assert str(caught.value).startswith(f"{file}: limits.{field}: expected ") or field in str(caught.value)
    file.write_text(f"[limits]\n{field} = {getattr(Limits(), field)}\n")
    assert config.load(file).limits == Limits()


def test_the_same_free_port_twice_is_two_ports(file: Path) -> None:
    file.write_text('[listen]\nimap = ["127.0.0.1:0", "127.0.0.1:0"]\npop3 = ["127.0.0.1:0"]\n')
    assert len(config.load(file).listen[Service.IMAP]) == 2


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_bytes(b"\xef\xbb\xbfworkers = 3\n")
    assert config.load(file).workers == 3
