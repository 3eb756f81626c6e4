"""Google Takeout: labels become mailboxes, flags and keywords."""

from __future__ import annotations

from pathlib import Path

import pytest

from mektup.migration.mbox.labels import labels_in, meaning_of
from mektup.migration.mbox.takeout import TakeoutSource
from mektup.migration.mbox.trees import mboxes
from mektup.migration.source import quiet
from mektup.store.interface import Account
from mektup.terms.limits import DEFAULT_LIMITS
from tests.migration.conftest import imported, mail_of
from tests.migration.maildirs import crlf

LINE = b"From 1700000000000000000@xxx Mon Feb 07 21:52:25 +0000 2022\n"


def labelled(labels: str, subject: str) -> bytes:
    """A message of Takeout."""
    return LINE + b"X-GM-THRID: 1700000000000000000\nX-Gmail-Labels: %b\nSubject: %b\n\ntext\n\n" % (
        labels.encode(),
        subject.encode(),
    )


@pytest.mark.parametrize(
    ("labels", "mailbox", "flags"),
    [
        ("Inbox,Unread", "INBOX", set()),
        ("Inbox,Opened,Starred,Important,Category Personal", "INBOX", {"\\Seen", "\\Flagged", "$Important"}),
        ("Archived,Opened", "Archive", {"\\Seen"}),
        ("Sent,Inbox", "Sent", {"\\Seen"}),
        ("Drafts,Unread", "Drafts", {"\\Draft"}),
        ("Trash,Inbox,Work", "Trash", {"\\Seen", "Work"}),
        ("Spam,Unread", "Junk", set()),
        ("Work/To do,Travel,Opened", "Work/To do", {"\\Seen", "Travel"}),
        ('Inbox,"a, b",To do (now)', "INBOX", {"\\Seen", "a,_b", "To_do_now"}),
        ("=?UTF-8?Q?Gelen_Kutusu,Okunmam=C4=B1=C5=9F,=C4=B0=C5=9F?=", "INBOX", {"&ATABXw-"}),
        ("Posteingang,Ungelesen,Markiert", "INBOX", {"\\Flagged"}),
    ],
)
def test_labels(labels: str, mailbox: str, flags: set[str]) -> None:
    found = meaning_of(labels.encode())
    assert ("/".join(found.levels), found.flags) == (mailbox, flags)


def test_labels_that_are_folded_over_lines() -> None:
    value = b"=?UTF-8?Q?Inbox,Okul_i=C5=9Fleri?=\r\n =?UTF-8?Q?_2020,Work?="
    assert labels_in(value) == ["Inbox", "Okul işleri 2020", "Work"]


async def test_a_file_with_all_mail(account: Account, tmp_path: Path) -> None:
    (tmp_path / "All mail Including Spam and Trash.mbox").write_bytes(
        labelled("Inbox,Unread", "one") + labelled("Work,Opened", "two") + labelled("Sent", "three")
    )
    (tmp_path / "Work.mbox").write_bytes(labelled("Work,Opened", "two"))
    source = TakeoutSource(list(mboxes(tmp_path, quiet, DEFAULT_LIMITS)), DEFAULT_LIMITS)
    done = await imported(account, source)
    assert (done.result.added, done.told) == (3, [])
    (one,) = await mail_of(account)
    assert (one.octets, one.flags) == (crlf(b"Subject: one\n\ntext\n"), frozenset())
    assert one.internaldate == "7-Feb-2022 21:52:25 +0000"
    assert len(await mail_of(account, "Work")) == len(await mail_of(account, "Sent")) == 1
    assert (await account.mailbox("Sent")).special_use == "\\Sent"
    assert (await imported(account, source)).result.known == 3
