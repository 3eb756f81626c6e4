"""mbsync (isync): a full two-way sync, and then a run that finds nothing to do."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from .mail import ATTACHMENT, ENCODED, NO_BODY, PLAIN, SAMPLES, append, deliver, held, logged_in
from .programs import Program, private_file, program
from .served import Account
from .trees import maildir, put, tree

CONFIGURATION = """\
IMAPAccount mektup
Host localhost
Port {port}
User {name}
Pass "{password}"
SSLType {tls}
{certificate}

IMAPStore remote
Account mektup

MaildirStore local
Path {home}/Mail/
Inbox {home}/Mail/INBOX
SubFolders Verbatim

Channel everything
Far :remote:
Near :local:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""


class Mbsync:
    """mbsync, set up for one account."""

    def __init__(self, mbsync: Program, account: Account, *, tls: bool) -> None:
        self._mbsync = mbsync
        self.mail = mbsync.home / "Mail"
        self.mail.mkdir()
        text = CONFIGURATION.format(
            port=account.port("imaps" if tls else "imap"),
            name=account.name,
            password=account.password,
            tls="IMAPS" if tls else "None",
            certificate=f"CertificateFile {account.certificate}" if tls else "",
            home=mbsync.home,
        )
        self.configuration = private_file(mbsync.home / "mbsyncrc", text)

    def sync(self) -> bytes:
        """Syncs all mailboxes; returns mbsync's log of the commands."""
        return self._mbsync.run("-Dn", "-c", self.configuration, "-a")

    def only(self, mailbox: str, text: bytes) -> Path:
        """The file of the only message in the local *mailbox* that contains *text*."""
        paths = [p for part in ("cur", "new") for p in (self.mail / mailbox / part).iterdir() if text in p.read_bytes()]
        assert len(paths) == 1
        return paths[0]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_two_way_sync_and_then_nothing(account: Account, tmp_path: Path, tls: bool) -> None:
    client = Mbsync(program("mbsync", "isync", tmp_path), account, tls=tls)
    deliver(account, PLAIN)
    append(account, "INBOX", SAMPLES[1:], flags=r"(\Seen)")
    append(account, "Sent", [ENCODED], flags=r"(\Seen \Answered)")
    put(client.mail / "INBOX", "1700000000.1.here", NO_BODY.replace(b"nothing below", b"written here"), "FS")
    put(client.mail / "Projects", "1700000000.2.here", ATTACHMENT, "S")

    assert transfers(client.sync()) != []

    inbox = held(account)
    assert len(inbox) == len(SAMPLES) + 1
    assert without_tuids(maildir(client.mail / "INBOX")) == {(untagged(m.raw), letters(m.flags)): 1 for m in inbox}
    assert [letters(m.flags) for m in inbox if b"written here" in m.raw] == ["FS"]
    assert without_tuids(maildir(client.mail / "Sent")) == {(ENCODED, "RS"): 1}
    assert [(untagged(m.raw), m.flags) for m in held(account, "Projects")] == [(ATTACHMENT, {"\\Seen"})]

    before, on_server = tree(client.mail), (held(account), held(account, "Projects"))
    assert transfers(client.sync()) == []
    assert tree(client.mail) == before
    assert (held(account), held(account, "Projects")) == on_server


def test_flags_and_deletions_travel_both_ways(account: Account, tmp_path: Path) -> None:
    client = Mbsync(program("mbsync", "isync", tmp_path), account, tls=False)
    append(account, "INBOX", SAMPLES, flags=r"(\Seen)")
    client.sync()
    first = held(account)
    assert [m.flags for m in first] == [frozenset({"\\Seen"})] * len(SAMPLES)

    dots, attachment = client.only("INBOX", b"dots"), client.only("INBOX", b"=_b")
    flagged = dots.with_name(re.sub(r":2,.*", ":2,FS", dots.name))
    os.rename(dots, flagged)
    attachment.unlink()
    with logged_in(account) as imap:
        imap.select("INBOX")
        imap.uid("STORE", str(first[0].uid), "+FLAGS", r"(\Answered)")
        imap.uid("STORE", str(first[2].uid), "+FLAGS", r"(\Deleted)")
        imap.expunge()
    client.sync()

    now = {m.uid: m for m in held(account)}
    assert now.keys() == {m.uid for m in first if b"=_b" not in m.raw} - {first[2].uid}
    assert now[first[1].uid].flags == {"\\Seen", "\\Flagged"}
    assert now[first[0].uid].flags == {"\\Seen", "\\Answered"}
    assert without_tuids(maildir(client.mail / "INBOX")) == {(m.raw, letters(m.flags)): 1 for m in now.values()}
    assert transfers(client.sync()) == []


def test_deleted_mail_is_not_downloaded_unless_it_is_asked_for(account: Account, tmp_path: Path) -> None:
    client = Mbsync(program("mbsync", "isync", tmp_path), account, tls=False)
    append(account, "INBOX", SAMPLES, flags=r"(\Deleted)")
    with logged_in(account) as imap:
        imap.select("INBOX")
        imap.expunge()
    client.sync()
    assert not list(client.mail.glob("Undelete*"))
    with logged_in(account) as imap:
        imap.create("Undelete")
    assert transfers(client.sync()) != []
    assert sum(maildir(client.mail / "Undelete").values()) == len(SAMPLES)
    assert transfers(client.sync()) == []


def untagged(raw: bytes) -> bytes:
    """*raw* without the header field by which mbsync recognizes a message that it stored."""
    return re.sub(rb"X-TUID: [^\r\n]*\r\n", b"", raw)


def without_tuids(messages: Counter[tuple[bytes, str]]) -> Counter[tuple[bytes, str]]:
    """A Maildir's messages, each untagged."""
    return Counter((untagged(raw), flags) for raw, flags in messages.elements())


def letters(flags: frozenset[str]) -> str:
    """The Maildir letters of IMAP *flags*."""
    known = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
    return "".join(sorted(known[flag] for flag in flags))


def transfers(wire: bytes) -> list[bytes]:
    """The commands that transferred messages, changed flags or made mailboxes."""
    sent = re.findall(rb"^>>> \d+ (\S.*)$", wire, re.MULTILINE)
    return [command for command in sent if re.search(rb"APPEND|STORE|COPY|MOVE|EXPUNGE|CREATE|BODY", command)]
