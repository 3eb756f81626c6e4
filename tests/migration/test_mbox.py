"""Mboxes as the world writes them: where messages begin and end, what is quoted, and what programs added."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.migration.mbox.from_lines import date_of
from mektup.migration.mbox.reading import MboxFile, MboxSource
from mektup.migration.mbox.scanning import Octets, scan
from mektup.migration.mbox.status_fields import read_status, without_fields
from mektup.migration.mbox.trees import mboxes
from mektup.migration.source import quiet
from mektup.store.interface import Account
from mektup.terms.limits import DEFAULT_LIMITS
from tests.contract.mail import incoming
from tests.migration.conftest import Imported, imported, mail_of
from tests.migration.maildirs import crlf

LIMITS = DEFAULT_LIMITS
LINE = b"From ali@example.org Mon Feb  7 21:52:25 2022\n"
HEAD = b"From: ali@example.org\nSubject: x\n\n"


async def read(account: Account, tmp_path: Path, octets: bytes, name: str = "INBOX") -> Imported:
    """Imports an mbox with these octets."""
    path = tmp_path / "some"
    path.write_bytes(octets)
    return await imported(account, MboxSource([MboxFile(path, name)], LIMITS))


async def bodies(account: Account, tmp_path: Path, octets: bytes) -> list[bytes]:
    """The bodies of the messages."""
    await read(account, tmp_path, octets)
    return [each.octets.partition(b"\r\n\r\n")[2] for each in await mail_of(account)]


async def test_messages_dates_and_quoted_lines(account: Account, tmp_path: Path) -> None:
    done = await read(
        account,
        tmp_path,
        LINE + HEAD + b"one\n>From here\n>>From there\nFrom here on, no message begins.\n\n"
        b"From here on neither.\n\n" + LINE.replace(b"2022", b"2023") + HEAD + b"two\n\n",
    )
    assert (done.result.added, done.told) == (2, [])
    one, two = await mail_of(account)
    assert one.octets == crlf(
        HEAD + b"one\nFrom here\n>From there\nFrom here on, no message begins.\n\nFrom here on neither.\n"
    )
    assert one.internaldate == "7-Feb-2022 21:52:25 +0000"
    assert two.octets == crlf(HEAD + b"two\n")
    assert two.internaldate == "7-Feb-2023 21:52:25 +0000"


@pytest.mark.parametrize(
    ("line", "seconds", "zone"),
    [
        (b"From a@b Mon Feb  7 21:52:25 2022", 1644270745, 0),
        (b"From a@b Mon Feb  7 21:52 2022", 1644270720, 0),
        (b"From 1234567890@xxx Mon Feb 07 21:52:25 +0000 2022", 1644270745, 0),
        (b"From a@b Mon Feb  7 21:52:25 2022 +0300", 1644259945, 180),
        (b"From a@b Mon Feb  7 21:52:25 GMT 2022", 1644270745, 0),
        (b"From a b <a@b> Mon, 7 Feb 2022 21:52:25 -0130", 1644276145, -90),
        (b"From - Mon Feb  7 21:52:25 2022", 1644270745, 0),
        (b"From ???@??? Mon Feb 07 21:52:60 2022", 1644270779, 0),
    ],
)
def test_dates_in_all_forms(line: bytes, seconds: int, zone: int) -> None:
    assert date_of(line) == (seconds, zone)


@pytest.mark.parametrize(
    "line", [b"From here on", b"From a@b Mon Feb 31 21:52:25 2022", b"From a@b Feb 7 25:99:99 2022", b"From "]
)
def test_what_is_no_date(line: bytes) -> None:
    assert date_of(line) is None


async def test_separators_without_an_empty_line_or_without_a_date(account: Account, tmp_path: Path) -> None:
    octets = LINE + HEAD + b"one\n" + LINE + HEAD + b"two\n\nFrom fred@example.org\n" + HEAD + b"three\n"
    assert await bodies(account, tmp_path, octets) == [b"one\r\n", b"two\r\n", b"three\r\n"]


async def test_a_text_that_looks_like_a_separator_but_no_header_follows(account: Account, tmp_path: Path) -> None:
    octets = LINE + HEAD + b"he wrote:\n" + LINE + b"and so on\n"
    assert await bodies(account, tmp_path, octets) == [crlf(b"he wrote:\n" + LINE + b"and so on\n")]


async def test_files_with_crlf(account: Account, tmp_path: Path) -> None:
    octets = crlf(LINE + HEAD + b"one\n>From x\n\n" + LINE + HEAD + b"two\n\n")
    assert await bodies(account, tmp_path, octets) == [b"one\r\nFrom x\r\n", b"two\r\n"]


async def test_content_length_is_believed_where_it_is_right(account: Account, tmp_path: Path) -> None:
    inner = b"an mbox in a message:\n\n" + LINE + HEAD + b">From deep\n"
    with_length = HEAD.replace(b"\n\n", b"\nContent-Length: %d\n\n" % len(inner))
    octets = LINE + with_length + inner + b"\n" + LINE + HEAD + b"two\n\n"
    assert await bodies(account, tmp_path, octets) == [crlf(inner), b"two\r\n"]
    assert b"Content-Length" not in (await mail_of(account))[0].octets


@pytest.mark.parametrize("length", [b"0", b"3", b"5000", b"99999999999", b"-1", b"x"])
async def test_content_length_that_lies(account: Account, tmp_path: Path, length: bytes) -> None:
    with_length = HEAD.replace(b"\n\n", b"\nContent-Length: %b\n\n" % length)
    octets = LINE + with_length + b"one\n>From x\n\n" + LINE + HEAD + b"two\n\n"
    assert await bodies(account, tmp_path, octets) == [b"one\r\nFrom x\r\n", b"two\r\n"]


async def test_content_length_of_the_last_message(account: Account, tmp_path: Path) -> None:
    with_length = HEAD.replace(b"\n\n", b"\nContent-Length: 8\n\n")
    octets = LINE + with_length + b"one\n\n\n\n\n"
    assert await bodies(account, tmp_path, octets) == [b"one\r\n\r\n\r\n\r\n"]


async def test_status_fields_become_flags_and_are_no_part_of_the_message(account: Account, tmp_path: Path) -> None:
    head = b"Status: RO\n" + HEAD.replace(b"\n\n", b"\nX-Status: AF\nX-Keywords: $Work  Later\n\tNonJunk\n\n")
    await read(account, tmp_path, LINE + head + b"one\n\n" + LINE + HEAD + b"two\n")
    one, two = await mail_of(account)
    assert one.flags == {"\\Seen", "\\Answered", "\\Flagged", "$Work", "Later", "NonJunk"}
    assert one.octets == crlf(HEAD + b"one\n")
    assert two.flags == frozenset()


async def test_uids_of_dovecots_mbox_are_kept(account: Account, tmp_path: Path) -> None:
    first = HEAD.replace(b"\n\n", b"\nX-IMAPbase: 1234567890 0000000044 $Work\nX-UID: 7\n\n")
    second, third, fourth = (HEAD.replace(b"\n\n", b"\nX-UID: %d\n\n" % uid) for uid in (9, 8, 44))
    parts = [LINE + head + b"text\n\n" for head in (first, second, third, HEAD, fourth)]
    done = await read(account, tmp_path, b"".join(parts))
    assert done.told == []
    inbox = await account.mailbox("INBOX")
    assert (inbox.uidvalidity, inbox.uidnext) == (1234567890, 47)
    assert [each.uid for each in await mail_of(account)] == [7, 9, 44, 45, 46]
    assert (await read(account, tmp_path, b"".join(parts))).result.added == 0


async def test_the_message_that_pine_has_for_itself_is_no_mail(account: Account, tmp_path: Path) -> None:
    internal = (
        b"From MAILER-DAEMON Mon Feb  7 21:52:25 2022\nFrom: Mail System <MAILER-DAEMON@x>\n"
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1234567890 0000000002\n\nThis text\n\n"
    )
    await read(account, tmp_path, internal + LINE + HEAD.replace(b"\n\n", b"\nX-UID: 2\n\n") + b"one\n")
    assert [each.uid for each in await mail_of(account)] == [2]
    assert (await account.mailbox("INBOX")).uidvalidity == 1234567890


async def test_thunderbird_marks_and_tags(account: Account, tmp_path: Path) -> None:
    def marked(status: bytes, keys: bytes = b"") -> bytes:
        return b"From - Mon Feb  7 21:52:25 2022\nX-Mozilla-Status: %b\nX-Mozilla-Status2: 00000000\n" % status + (
            b"X-Mozilla-Keys: %b                       \n" % keys + HEAD + b"text\n\n"
        )

    await read(account, tmp_path, marked(b"0001", b"$label1 nonjunk") + marked(b"0009") + marked(b"1006"))
    one, two = await mail_of(account)
    assert one.flags == {"\\Seen", "$label1", "nonjunk"}
    assert two.flags == {"\\Answered", "\\Flagged", "$Forwarded"}
    assert one.octets == crlf(HEAD + b"text\n")


async def test_octets_before_the_first_message_and_files_that_are_none_are_told(
    account: Account, tmp_path: Path
) -> None:
    done = await read(account, tmp_path, b"garbage\n\n" + LINE + HEAD + b"one\n")
    assert done.problems == ["the first 9 octets belong to no message and are left out"]
    assert done.result.added == 1
    assert (await read(account, tmp_path, b"")).result.problems == 0


async def test_a_second_run_after_more_mail_came(account: Account, tmp_path: Path) -> None:
    octets = LINE + HEAD + b"one\n\n" + LINE + HEAD + b"one\n\n"
    await read(account, tmp_path, octets)
    done = await read(account, tmp_path, octets + LINE + HEAD + b"one\n\n" + LINE + HEAD + b"two\n\n")
    assert (done.result.added, done.result.known) == (2, 2)


async def test_a_header_of_more_than_a_megabyte_and_a_line_of_three(account: Account, tmp_path: Path) -> None:
    head = b"Subject: " + b"\n ".join([b"x" * 70] * 20_000) + b"\n\n"
    body = b"y" * 3_000_000 + b"\n>From z\n"
    await read(account, tmp_path, LINE + head + body + b"\n" + LINE + HEAD + b"two\n\n")
    one, two = await mail_of(account)
    assert one.octets == crlf(head + body.replace(b">From", b"From"))
    assert two.octets == crlf(HEAD + b"two\n")


async def test_a_file_that_was_changed_meanwhile_gives_no_wrong_message(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(LINE + HEAD + b"one\n\n" + LINE + HEAD + b"two\n\n")
    source = MboxSource([MboxFile(path, "INBOX")], LIMITS)
    (mailbox,) = source.mailboxes(quiet)
    heads = list(source.heads(mailbox, quiet))
    path.write_bytes(b"x" + path.read_bytes()[:-9])
    written: list[bytes] = []
    assert [source.read(mailbox, head, written.append) for head in heads] == [False, False]
    assert written == []


async def test_the_inbox_of_a_system_is_marked_as_read_mail_that_it_had(account: Account, tmp_path: Path) -> None:
    await account.append((await account.mailbox("INBOX")).id, [incoming()])
    await read(account, tmp_path, LINE + HEAD + b"one\n\n")
    assert [each.uid for each in await mail_of(account)] == [1, 2]


def test_trees_of_thunderbird_apple_and_others(tmp_path: Path) -> None:
    for name in (
        "Inbox",
        "Sent",
        "Work.sbd/Letters",
        "Work.sbd/Letters.sbd/2020",
        "Work",
        "Apple.mbox/mbox",
        "Apple.mbox/Sub.mbox/mbox",
        "plain/list.mbox",
        "Entw&APw-rfe",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(LINE + HEAD + b"text\n")
    (tmp_path / "Trash").write_bytes(b"")
    (tmp_path / "Inbox.msf").write_bytes(b"// <!-- <mdb:mork")
    (tmp_path / "notes").write_bytes(b"hello")
    (tmp_path / "link").symlink_to("Inbox")
    told: list[str] = []
    found = {box.name for box in mboxes(tmp_path, lambda place, problem: told.append(Path(place).name), LIMITS)}
    assert found == {
        "INBOX",
        "Sent",
        "Trash",
        "Work",
        "Work/Letters",
        "Work/Letters/2020",
        "Apple",
        "Apple/Sub",
        "plain/list",
        "Entwürfe",
    }
    assert sorted(told) == ["link", "notes"]


def test_a_folder_of_apple_mail_alone(tmp_path: Path) -> None:
    folder = tmp_path / "Holidays.mbox"
    folder.mkdir()
    (folder / "mbox").write_bytes(LINE + HEAD + b"text\n")
    assert [box.name for box in mboxes(folder, quiet, LIMITS)] == ["Holidays"]


pieces = st.sampled_from(
    [
        LINE,
        HEAD,
        b"\n",
        b"text\n",
        b">From x\n",
        b"From x\n",
        b"From a@b\n",
        b"Content-Length: 20\n",
        b"\r\n",
        b"x",
        b"F",
    ]
)


class OctetsInMemory(Octets):
    """Octets that are in no file."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(-1, len(octets))
        self._octets = octets

    def at(self, start: int, octets: int) -> bytes:
        return self._octets[start : start + octets]


@given(st.lists(pieces | st.binary(max_size=10), max_size=30))
def test_any_octets_are_scanned_and_every_octet_has_its_place(parts: list[bytes]) -> None:
    octets = b"".join(parts)
    spans = scan(OctetsInMemory(octets))
    at = spans.before
    for start, stop in zip(spans.starts, spans.stops, strict=True):
        assert at == start
        assert octets[start:].startswith(b"From ")
        assert start < stop <= len(octets)
        rest = octets[stop:]
        gap = 0 if rest[:5] == b"From " or not rest else 2 if rest.startswith(b"\r\n") else 1
        at = stop + gap
    assert at >= len(octets) or not spans.starts or octets[at : at + 5] == b"From "


@given(
    st.lists(st.sampled_from([b"Status: R", b"X-UID: 5", b"Subject: x", b" more", b"X-Keywords: a b"]) | st.binary())
)
def test_any_header_has_a_status_and_loses_only_known_fields(lines: list[bytes]) -> None:
    header = b"\n".join(lines) + b"\n\n"
    left = without_fields(header, read_status(header, LIMITS))
    assert set(left.split(b"\n")) <= set(header.split(b"\n"))
