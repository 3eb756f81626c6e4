"""OfflineIMAP: a sync with flags and new mail both ways, and then a run that changes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .mail import ATTACHMENT, ENCODED, NO_BODY, PLAIN, SAMPLES, append, deliver, held, logged_in
from .programs import Program, private_file, program
from .served import Account
from .trees import maildir, put, tree

CONFIGURATION = """\
[general]
accounts = mektup
metadata = {home}/metadata

[Account mektup]
localrepository = local
remoterepository = remote

[Repository local]
type = Maildir
localfolders = {home}/Mail

[Repository remote]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {name}
remotepass = {password}
ssl = {ssl}
starttls = no
sslcacertfile = {certificate}
"""


class OfflineImap:
    """OfflineIMAP, set up for one account."""

    def __init__(self, offlineimap: Program, account: Account, *, tls: bool) -> None:
        self._offlineimap = offlineimap
        self.mail = offlineimap.home / "Mail"
        self.mail.mkdir()
        text = CONFIGURATION.format(
            home=offlineimap.home,
            port=account.port("imaps" if tls else "imap"),
            name=account.name,
            password=account.password,
            ssl="yes" if tls else "no",
            certificate=account.certificate,
        )
        self.configuration = private_file(offlineimap.home / "offlineimaprc", text)

    def sync(self) -> bytes:
        """Runs OfflineIMAP once; returns its output."""
        return self._offlineimap.run("-o", "-c", self.configuration, "-u", "basic")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_sync_and_then_nothing(account: Account, tmp_path: Path, tls: bool) -> None:
    client = OfflineImap(program("offlineimap", "offlineimap3", tmp_path), account, tls=tls)
    deliver(account, PLAIN)
    append(account, "INBOX", SAMPLES[1:], flags=r"(\Seen)")
    append(account, "Archive", [ENCODED, ATTACHMENT], flags=r"(\Flagged)")

    client.sync()

    inbox = held(account)
    assert len(inbox) == len(SAMPLES)
    assert maildir(client.mail / "INBOX") == {(m.raw, letters(m.flags)): 1 for m in inbox}
    assert maildir(client.mail / "Archive") == {(ENCODED, "F"): 1, (ATTACHMENT, "F"): 1}

    before = tree(client.mail)
    printed = client.sync()
    assert tree(client.mail) == before
    assert held(account) == inbox
    assert re.findall(rb"(?i)^.*(?:copy|adding|deleting|flags).*$", printed, re.MULTILINE) == []


def test_local_changes_reach_the_server(account: Account, tmp_path: Path) -> None:
    client = OfflineImap(program("offlineimap", "offlineimap3", tmp_path), account, tls=False)
    append(account, "INBOX", SAMPLES, flags=r"(\Seen)")
    client.sync()
    first = held(account)

    put(client.mail / "INBOX", "1700000000.1.here", NO_BODY.replace(b"nothing below", b"written here"), "S")
    paths = {path.read_bytes()[:80]: path for path in (client.mail / "INBOX" / "cur").iterdir()}
    dots = next(path for head, path in paths.items() if b"Subject: dots" in head)
    os.rename(dots, dots.with_name(dots.name.replace(":2,S", ":2,FS")))
    next(path for head, path in paths.items() if b"Subject: latin" in head).unlink()
    with logged_in(account) as imap:
        imap.select("INBOX")
        imap.uid("STORE", str(first[0].uid), "+FLAGS", r"(\Answered)")
    client.sync()

    now = held(account)
    [upload] = [m for m in now if b"written here" in m.raw]
    kept = [m for m in first if b"latin" not in m.raw]
    assert [m.uid for m in now] == [*[m.uid for m in kept], upload.uid]
    assert [m.flags for m in now if b"Subject: dots" in m.raw] == [{"\\Seen", "\\Flagged"}]
    assert [m.flags for m in now if m.raw == PLAIN] == [{"\\Seen", "\\Answered"}]
    assert maildir(client.mail / "INBOX").keys() == {
        (m.raw if m is not upload else NO_BODY.replace(b"nothing below", b"written here"), letters(m.flags))
        for m in now
    }


def letters(flags: frozenset[str]) -> str:
    """The Maildir letters of IMAP *flags*."""
    known = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
    return "".join(sorted(known[flag] for flag in flags))
