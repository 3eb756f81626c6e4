"""``mektup dns``: records, and settings for mail programs."""

from __future__ import annotations

import plistlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.command import mektup


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "mektup.toml"
    file.write_text(
        'hostname = "mail.example.org"\n[listen]\nimap = ["127.0.0.1:143"]\nimaps = ["*:993"]\n'
        'pop3s = ["unix:pop3s", "[::]:1995"]\nlmtp = ["127.0.0.1:24"]\n'
    )
    return str(file)


def records(*arguments: str) -> list[str]:
    done = mektup("dns", *arguments)
    assert (done.status, done.stderr) == (0, "")
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line and not line.startswith(";")]


def test_the_records_are_those_of_the_configuration(config: str) -> None:
    assert records("Example.ORG.", "--config", config) == [
        "example.org. IN MX 10 mail.example.org.",
        'example.org. IN TXT "v=spf1 mx -all"',
        '_dmarc.example.org. IN TXT "v=DMARC1; p=none"',
        "_imaps._tcp.example.org. IN SRV 0 1 993 mail.example.org.",
        "_imap._tcp.example.org. IN SRV 0 0 0 .",
        "_pop3s._tcp.example.org. IN SRV 10 1 1995 mail.example.org.",
        "_pop3._tcp.example.org. IN SRV 0 0 0 .",
        "_submissions._tcp.example.org. IN SRV 0 1 465 mail.example.org.",
        "_submission._tcp.example.org. IN SRV 10 1 587 mail.example.org.",
        "autoconfig.example.org. IN CNAME mail.example.org.",
    ]


def test_without_a_configuration_the_usual_ports_are_meant() -> None:
    found = records("example.org", "--hostname", "mx.example.net")
    assert "_imap._tcp.example.org. IN SRV 10 1 143 mx.example.net." in found
    assert "_pop3s._tcp.example.org. IN SRV 0 0 0 ." in found


def test_a_domain_in_any_script_is_in_ascii(config: str) -> None:
    for spelling in ("bücher.example", "xn--bcher-kva.example"):
        assert "xn--bcher-kva.example. IN MX 10 mail.example.org." in records(spelling, "--config", config)


@pytest.mark.parametrize("language", ["en_US.UTF-8", "tr_TR.UTF-8"])
def test_each_remark_is_a_comment_in_every_language(
    config: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    done = mektup("dns", "example.org", "--config", config)
    lines = [line for line in done.stdout.splitlines() if line]
    assert all(line.startswith((";", "_", "example.org.", "autoconfig.")) for line in lines)


def test_mozillas_settings(config: str) -> None:
    done = mektup("dns", "example.org", "--config", config, "--autoconfig")
    root = ElementTree.fromstring(done.stdout)
    assert (root.tag, root.get("version")) == ("clientConfig", "1.1")
    servers = [
        (each.tag, each.get("type"), *(each.findtext(name) for name in ("hostname", "port", "socketType", "username")))
        for each in root.iter()
        if each.tag.endswith("Server")
    ]
    assert servers == [
        ("incomingServer", "imap", "mail.example.org", "993", "SSL", "%EMAILADDRESS%"),
        ("incomingServer", "pop3", "mail.example.org", "1995", "SSL", "%EMAILADDRESS%"),
        ("outgoingServer", "smtp", "mail.example.org", "465", "SSL", "%EMAILADDRESS%"),
        ("outgoingServer", "smtp", "mail.example.org", "587", "STARTTLS", "%EMAILADDRESS%"),
    ]


def test_a_profile_for_apples_devices(config: str) -> None:
    asked = ("dns", "example.org", "--config", config, "--mobileconfig", "linda@example.org")
    done = mektup(*asked)
    assert done.stdout == mektup(*asked).stdout, "the same account has the same identifiers"
    (account,) = plistlib.loads(done.stdout.encode())["PayloadContent"]
    assert account["EmailAddress"] == account["OutgoingMailServerUsername"] == "linda@example.org"
    assert (account["IncomingMailServerPortNumber"], account["OutgoingMailServerPortNumber"]) == (993, 465)
    assert not {"IncomingPassword", "OutgoingPassword"} & set(account)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("a b",), 1, "a b cannot be a domain: it contains a space"),
        (("example.org", "--hostname", "a_b"), 2, "--hostname"),
        (("example.org", "--autoconfig", "--mobileconfig", "linda@example.org"), 2, "either --autoconfig or"),
        (("example.org", "--mobileconfig", "linda@example.com"), 2, "linda@example.com is no address in example.org"),
        (("example.org", "--mobileconfig", "linda"), 2, "linda is no address in example.org"),
        (("example.org", "--config", "nowhere.toml"), 1, "nowhere.toml: No such file or directory"),
    ],
)
def test_what_cannot_be_printed(arguments: tuple[str, ...], status: int, said: str) -> None:
    done = mektup("dns", *arguments)
    assert (done.status, done.stdout) == (status, "")
    assert said in done.stderr


def test_a_profile_needs_imap(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text('[listen]\nimap = ["127.0.0.1:143"]\n')
    done = mektup("dns", "example.org", "--config", str(file), "--mobileconfig", "linda@example.org")
    assert done.status == 1
    assert "offers no IMAP" in done.stderr
