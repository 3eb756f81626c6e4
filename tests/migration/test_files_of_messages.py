"""Folders with a file for each message: .eml, and .emlx of Apple Mail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mektup.migration.eml.index_file import Entry, first_line, line, read_index
from mektup.migration.eml.reading import EmlSource
from mektup.migration.emlx.reading import EmlxSource
from mektup.store.interface import Account
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import Uid
from tests.migration.conftest import imported, mail_of
from tests.migration.maildirs import crlf, message

LIMITS = DEFAULT_LIMITS


async def test_a_tree_of_eml_files(account: Account, tmp_path: Path) -> None:
    root = tmp_path / "Old mail"
    for name in ("b.eml", "a.EML", "Work/1.eml", "Work/Letters/2.eml", "empty/readme.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(message(name))
    done = await imported(account, EmlSource(root, LIMITS))
    assert (done.result.added, done.told) == (4, [])
    assert [each.octets for each in await mail_of(account, "Old mail")] == [
        crlf(message("a.EML")),
        crlf(message("b.eml")),
    ]
    (letter,) = await mail_of(account, "Work/Letters")
    assert letter.internaldate == "7-Feb-2022 21:52:25 -0800", "its Date field, as the date of the file may be any"
    assert (await imported(account, EmlSource(root, LIMITS))).result.known == 4


async def test_one_file(account: Account, tmp_path: Path) -> None:
    folder = tmp_path / "Saved"
    folder.mkdir()
    (folder / "letter").write_bytes(message("x"))
    await imported(account, EmlSource(folder / "letter", LIMITS))
    assert len(await mail_of(account, "Saved")) == 1


async def test_an_index_has_what_the_files_cannot_say(account: Account, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(message("one"))
    (tmp_path / "2.eml").write_bytes(message("two"))
    (tmp_path / "new.eml").write_bytes(message("three"))
    (tmp_path / "mektup-index.tsv").write_text(
        first_line(77, 100, subscribed=True, special_use=None)
        + line("1.eml", Entry(Uid(5), 1600000000, -120, 1600000001, frozenset({"\\Seen", "$Work"})))
        + "nonsense\n"
        + line("2.eml", Entry(Uid(9), 1600000000, 0, 1600000001, frozenset()))
        + line("gone.eml", Entry(Uid(12), 1600000000, 0, 1600000001, frozenset()))
    )
    await imported(account, EmlSource(tmp_path, LIMITS))
    inbox = await account.mailbox("INBOX")
    assert (inbox.uidvalidity, inbox.uidnext) == (77, 101)
    one, two, three = await mail_of(account)
    assert (one.uid, one.flags, one.internaldate) == (5, {"\\Seen", "$Work"}, "13-Sep-2020 10:26:40 -0200")
    assert (two.uid, three.uid) == (9, 100)


@pytest.mark.parametrize("octets", [b"", b"mektup 1\t0\t5\t1\t\n", b"mektup 2\t1\t5\t1\t\n", b"\xff\x00"])
def test_what_is_no_index(octets: bytes) -> None:
    assert read_index(octets, LIMITS) is None


PROPERTIES = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>date-received</key><integer>1600000000</integer>
<key>flags</key><integer>%d</integer>
</dict></plist>
"""


def emlx(octets: bytes, flags: int = 0) -> bytes:
    """A file of Apple Mail."""
    return b"%d       \n" % len(octets) + octets + PROPERTIES % flags


async def test_emlx(account: Account, tmp_path: Path) -> None:
    messages = tmp_path / "INBOX.mbox" / "3E0A-11" / "Data" / "1" / "Messages"
    work = tmp_path / "Work.mbox" / "Letters.mbox" / "Messages"
    for folder in (messages, work):
        folder.mkdir(parents=True)
    (messages / "11.emlx").write_bytes(emlx(message("one"), 1 | 1 << 4 | 1 << 20))
    (messages / "12.partial.emlx").write_bytes(emlx(message("two"), 0))
    (messages / "13.emlx").write_bytes(b"no length\n")
    (messages / "14.emlx").write_bytes(b"5000\nshort")
    (messages / "15.emlx").write_bytes(b"%d\n" % len(message("five")) + message("five") + b"<plist>")
    (work / "16.emlx").write_bytes(emlx(message("six"), 1 << 2 | 1 << 6))
    done = await imported(account, EmlxSource(tmp_path, LIMITS))
    one, _, five = await mail_of(account)
    assert (one.flags, one.internaldate) == ({"\\Seen", "\\Flagged"}, "13-Sep-2020 12:26:40 +0000")
    assert (one.octets, five.octets) == (crlf(message("one")), crlf(message("five")))
    (six,) = await mail_of(account, "Work/Letters")
    assert six.flags == {"\\Answered", "\\Draft"}
    told = [Path(place).name for place, _ in done.told]
    assert sorted(set(told)) == ["12.partial.emlx", "13.emlx", "14.emlx", "15.emlx"]
    assert (await imported(account, EmlxSource(tmp_path, LIMITS))).result.added == 0


async def test_a_property_list_with_entities_is_not_expanded(account: Account, tmp_path: Path) -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><plist><dict><key>&a;</key></dict></plist>'
    (tmp_path / "1.emlx").write_bytes(b"%d\n" % len(message("x")) + message("x") + bomb)
    done = await imported(account, EmlxSource(tmp_path, LIMITS))
    assert (done.result.added, len(done.told)) == (1, 1)


async def test_a_folder_that_cannot_be_entered_is_told(account: Account, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(message("x"))
    (tmp_path / "link").symlink_to("/etc")
    done = await imported(account, EmlSource(tmp_path, LIMITS))
    assert done.result.added == 1
    assert [os.path.basename(place) for place, _ in done.told] == ["link"]
