"""curl: lists, fetches, appends and searches by imap:// and imaps://, and fetches by pop3:// and pop3s://."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import ATTACHMENT, ENCODED, PLAIN, SAMPLES, append, held
from .programs import Program, program
from .served import Account


class Curl:
    """curl, logged in as one account."""

    def __init__(self, curl: Program, account: Account) -> None:
        self._curl = curl
        self._account = account

    def __call__(self, listener: str, path: str, *words: str | Path) -> bytes:
        """The output of curl for *path* at the server's *listener*."""
        port = self._account.port(listener)
        # curl needs its option for TLS even if the scheme demands TLS.
        url = f"{listener}://localhost:{port}/{path}"
        login = f"{self._account.name}:{self._account.password}"
        return self._curl.run("-sS", "--cacert", self._account.certificate, "-u", login, url, *words)


@pytest.fixture
def curl(account: Account, tmp_path: Path) -> Curl:
    return Curl(program("curl", "curl", tmp_path), account)


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_list(curl: Curl, scheme: str) -> None:
    lines = curl(scheme, "").decode().splitlines()
    assert {line.split()[-1].strip('"') for line in lines} == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
    assert any(line.startswith("* LIST (") and "\\Drafts" in line for line in lines)


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_append_and_fetch(curl: Curl, account: Account, tmp_path: Path, scheme: str) -> None:
    upload = tmp_path / "message.eml"
    for raw in SAMPLES:
        upload.write_bytes(raw)
        curl(scheme, "Archive", "-T", upload)
    stored = held(account, "Archive")
    assert [m.raw for m in stored] == list(SAMPLES)
    for message in stored:
        assert curl(scheme, f"Archive/;UID={message.uid}") == message.raw
    header = curl(scheme, f"Archive/;UID={stored[0].uid}/;SECTION=HEADER.FIELDS%20(SUBJECT)")
    assert header == b"Subject: dinner at eight\r\n\r\n"
    assert curl(scheme, f"Archive/;MAILINDEX={len(SAMPLES)}/;SECTION=TEXT") == SAMPLES[-1].partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_search_and_commands(curl: Curl, account: Account, scheme: str) -> None:
    append(account, "INBOX", [PLAIN, ATTACHMENT, ENCODED])
    assert curl(scheme, "INBOX?SUBJECT%20dinner") == b"* SEARCH 1\r\n"
    assert curl(scheme, "INBOX?UID%201:*%20LARGER%2010000") == b"* SEARCH 2\r\n"
    assert b"FETCH (FLAGS (\\Deleted" in curl(scheme, "INBOX", "-X", r"STORE 2 +FLAGS (\Deleted)")
    assert curl(scheme, "INBOX", "-X", "EXPUNGE").endswith(b"* 2 EXPUNGE\r\n")
    assert curl(scheme, "", "-X", "STATUS INBOX (MESSAGES)").startswith(b"* STATUS INBOX (MESSAGES 2)")


def test_starttls(curl: Curl, account: Account) -> None:
    append(account, "INBOX", [PLAIN])
    assert curl("imap", "INBOX/;MAILINDEX=1", "--ssl-reqd") == PLAIN
    assert curl("pop3", "1", "--ssl-reqd") == PLAIN


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_pop3(curl: Curl, account: Account, scheme: str) -> None:
    append(account, "INBOX", SAMPLES)
    assert curl(scheme, "").split() == b" ".join(b"%d %d" % (n, len(raw)) for n, raw in enumerate(SAMPLES, 1)).split()
    for number, raw in enumerate(SAMPLES, 1):
        assert curl(scheme, str(number)) == (raw if raw.endswith(b"\r\n") else raw + b"\r\n")
    curl(scheme, "1", "-X", "DELE", "--list-only")
    assert [m.raw for m in held(account)] == list(SAMPLES[1:])


def test_wrong_password_is_refused(account: Account, tmp_path: Path) -> None:
    curl = program("curl", "curl", tmp_path)
    login_denied = 67
    curl.run("-sS", "-u", f"{account.name}:wrong", f"imap://localhost:{account.port('imap')}/", statuses=[login_denied])
