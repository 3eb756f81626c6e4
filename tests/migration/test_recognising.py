"""What is at a path is recognised; and what cannot be read here is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mektup.migration.recognising import source_of
from mektup.migration.source import CannotRead, quiet
from mektup.terms.limits import DEFAULT_LIMITS
from tests.migration.maildirs import folder, message

MBOX = b"From ali@example.org Mon Feb  7 21:52:25 2022\nSubject: x\n\ntext\n"


def file(name: str, octets: bytes) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        return path

    return make


def within(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The folder in which *make* makes a file."""

    def made(root: Path) -> Path:
        make(root / "mail")
        return root / "mail"

    return made


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda root: folder(root / "Maildir"), "maildir"),
        (lambda root: folder(root / "mail" / "INBOX").parent, "maildir"),
        (lambda root: folder(root / "mail" / ".Work").parent, "maildir"),
        (file("linda", MBOX), "mbox"),
        (file("linda", b"\n" + MBOX), "mbox"),
        (within(file("Inbox", MBOX)), "mbox"),
        (within(file("Work.sbd/Letters", MBOX)), "mbox"),
        (within(file("Work.mbox/mbox", MBOX)), "mbox"),
        (file("all.mbox", MBOX.replace(b"Subject", b"X-Gmail-Labels: Inbox\nSubject")), "takeout"),
        (within(file("Mail/all.mbox", MBOX.replace(b"Subject", b"X-Gmail-Labels: Inbox\nSubject"))), "takeout"),
        (file("1.emlx", b"3\nabc"), "emlx"),
        (within(file("INBOX.mbox/Messages/1.emlx", b"3\nabc")), "emlx"),
        (file("x.eml", message("x")), "eml"),
        (file("saved", message("x")), "eml"),
        (within(file("deep/er/x.eml", message("x"))), "eml"),
    ],
)
def test_kinds(tmp_path: Path, make: Callable[[Path], Path], kind: str) -> None:
    assert source_of(make(tmp_path), None, DEFAULT_LIMITS, quiet)[0] == kind


def test_a_kind_that_is_given_is_believed(tmp_path: Path) -> None:
    path = file("x.eml", MBOX)(tmp_path)
    assert source_of(path, "eml", DEFAULT_LIMITS, quiet)[0] == "eml"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: root / "missing", "does not exist"),
        (within(file("photo.jpg", b"\xff\xd8")), "no mail"),
        (file("photo.jpg", b"\xff\xd8"), "no mail"),
        (file("takeout.zip", b"PK\x03\x04"), "archive"),
        (within(file("storage/m.1", b"x")), "mdbox"),
        (within(file("mailboxes/INBOX/dbox-Mails/u.1", b"x")), "sdbox"),
    ],
)
def test_what_cannot_be_read_here(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(CannotRead, match=words):
        source_of(make(tmp_path), None, DEFAULT_LIMITS, quiet)
