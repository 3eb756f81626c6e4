"""mpop: fetches by POP3, plain, by STLS and over TLS, pipelined, and deletes what it has fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import SAMPLES, append, held
from .programs import private_file, program
from .served import Account
from .trees import maildir

CONFIGURATION = """\
defaults
tls {tls}
tls_starttls {starttls}
{trust}
account mektup
host localhost
port {port}
user {name}
password {password}
auth {auth}
pipelining on
received_header off
keep {keep}
delivery maildir {home}/Mail
uidls_file {home}/uidls
"""

WAYS = {
    "plain": ("pop3", "off", "off", "user"),
    "stls": ("pop3", "on", "on", "plain"),
    "tls": ("pop3s", "on", "off", "plain"),
}
"""Listener, TLS, STLS, and how to log in."""


@pytest.mark.parametrize("way", WAYS)
def test_fetch_and_delete(account: Account, tmp_path: Path, way: str) -> None:
    mpop = program("mpop", "mpop", tmp_path)
    listener, tls, starttls, auth = WAYS[way]
    append(account, "INBOX", SAMPLES)
    for part in ("cur", "new", "tmp"):
        (tmp_path / "Mail" / part).mkdir(parents=True)

    def fetch(*, keep: bool) -> None:
        text = CONFIGURATION.format(
            tls=tls,
            starttls=starttls,
            trust=f"tls_trust_file {account.certificate}" if tls == "on" else "",
            port=account.port(listener),
            name=account.name,
            password=account.password,
            auth=auth,
            keep="on" if keep else "off",
            home=tmp_path,
        )
        mpop.run("-C", private_file(tmp_path / "mpoprc", text), "mektup")

    fetch(keep=True)
    fetched = maildir(tmp_path / "Mail")
    assert sorted(raw.rstrip(b"\r\n") for raw, _ in fetched.elements()) == sorted(
        raw.rstrip(b"\r\n") for raw in SAMPLES
    )
    assert [m.raw for m in held(account)] == list(SAMPLES)

    fetch(keep=False)
    assert maildir(tmp_path / "Mail") == fetched
    assert held(account) == []
