"""What an import reads from files of other programs: mboxes, control files of Maildirs, names, .emlx, labels."""

from __future__ import annotations

from mektup.migration import names
from mektup.migration.eml import index_file
from mektup.migration.emlx import reading as emlx
from mektup.migration.export.file_names import level_name
from mektup.migration.export.octets import Lines
from mektup.migration.maildir import control_files as control
from mektup.migration.maildir.file_names import flags_of, saved_at
from mektup.migration.mbox.from_lines import date_of
from mektup.migration.mbox.labels import meaning_of
from mektup.migration.mbox.message_octets import crlf_size, write_message
from mektup.migration.mbox.scanning import Octets, scan
from mektup.migration.mbox.status_fields import read_status, without_fields
from mektup.migration.source import quiet
from mektup.store.rules.mailbox_names import check_name, require_own
from mektup.terms.limits import DEFAULT_LIMITS as LIMITS
from reliability.fuzz.target import Target, pieces, require, same

LINE = b"From ali@example.org Mon Feb  7 21:52:25 2022\n"
MESSAGE = b"Status: RO\nX-Keywords: a b\nX-UID: 7\nSubject: x\n\ntext\n>From here\n\n"


class InMemory(Octets):
    """Octets that are in no file."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(-1, len(octets))
        self._octets = octets

    def at(self, start: int, octets: int) -> bytes:
        return self._octets[start : start + octets]


def mbox(octets: bytes) -> None:
    """The messages of an mbox do not overlap, and each can be read."""
    file = InMemory(octets)
    spans = scan(file)
    last = spans.before
    for start, stop in zip(spans.starts, spans.stops, strict=True):
        require(last <= start < stop <= len(octets), "messages overlap")
        last = stop
        line = file.line(start)
        head = start + len(line)
        header = file.header(head, stop)
        status = read_status(header, LIMITS)
        require(len(without_fields(header, status)) <= len(header), "fields were added")
        written: list[bytes] = []
        write_message(file, head, header, stop, status, written.append)
        require(sum(map(len, written)) <= stop - head, "a message has more octets than its place")
        date_of(line)


def quoted(octets: bytes) -> None:
    """A message in an mbox of ours comes back, in pieces of any size."""
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    lines = Lines(quoted=True)
    body = b"".join([*map(lines.feed, pieces(octets)), lines.finish()])
    own = b"Status: O\nX-UID: 1\nX-Mektup-Export: size=%d; date=1; zone=0; saved=1\n" % len(octets)
    file = InMemory(LINE + own + body + (b"\n" if body.endswith(b"\n") else b"\n\n") + LINE)
    spans = scan(file)
    same(len(spans.starts), 2, "the number of messages")
    head = len(LINE)
    header = file.header(head, spans.stops[0])
    written: list[bytes] = []
    write_message(file, head, header, spans.stops[0], read_status(header, LIMITS), written.append)
    found = b"".join(written)
    same(crlf_size(found), len(octets), "the size")
    same(found.replace(b"\r\n", b"\n"), octets.replace(b"\r\n", b"\n"), "the octets")


def control_files(octets: bytes) -> None:
    """Lists of UIDs, keywords and subscriptions are read, or refused."""
    try:
        found = control.read_uidlist(octets)
    except control.BadFile:
        pass
    else:
        uids = list(found.uids.values())
        require(uids == sorted(set(uids)), "UIDs do not ascend")
        require(not uids or uids[-1] < found.uidnext < 2**32, "UIDNEXT is not above all UIDs")
        require(0 < found.uidvalidity < 2**32, "no UIDVALIDITY")
    keywords = control.read_keywords(octets)
    require(len(keywords) <= control.MOST_KEYWORDS, "more keywords than letters")
    name = octets.decode("utf-8", "replace")
    flags_of(name, keywords, LIMITS)
    saved_at(name)
    list(control.read_subscriptions(octets))
    list(control.read_courier_subscriptions(octets))
    index_file.read_index(octets, LIMITS)


def mailbox_names(octets: bytes) -> None:
    """Any name becomes one that a mailbox may have; a name that a mailbox has comes back from a file's."""
    name = names.from_octets(octets.split(b"/")[:100] or [b""], "", quiet, LIMITS)
    check_name(name, LIMITS)
    require_own(name)
    for level in name.split("/"):
        for dots, utf7 in ((True, False), (False, True)):
            file = level_name(level, dots=dots, utf7=utf7)
            require(file and not file.startswith(".") and "/" not in file, "no name of a file")
            require(len(file.encode()) <= 255, "a name that is too long")
            if "~" not in file:
                same(names.decoded(file.encode()), level, "the name")


def properties(octets: bytes) -> None:
    """A property list of Apple Mail is read, or is none; labels mean a mailbox."""
    emlx._properties(octets)
    labelled = meaning_of(octets)
    require(all(flag and " " not in flag for flag in labelled.flags), "no flag")
    check_name(names.usable(labelled.levels, LIMITS), LIMITS)


TARGETS = (
    Target(
        "mbox",
        "messages of an mbox",
        mbox,
        lambda: [(LINE + MESSAGE) * 3, LINE + MESSAGE.replace(b"\n", b"\r\n"), LINE + b"Content-Length: 5\n\ntext\n\n"],
        [
            LINE,
            b"From ",
            b"\n\n",
            b"\r\n",
            b">From ",
            b"Content-Length: 20\n",
            b"X-IMAPbase: 1 2\n",
            b"X-Mektup-Export: ",
        ],
    ),
    Target("quoted", "a message in an mbox of ours", quoted, lambda: [MESSAGE, LINE], [b"From ", b"\r\n", b"\r", b">"]),
    Target(
        "uidlist",
        "control files of Maildirs",
        control_files,
        lambda: [b"3 V5 N9 Gab\n1 W5 :a\n7 :b\n", b"1 5 9\n3 x\n", b"V\t2\n\na\tb\n", b"0 $Work\n1 x\n"],
        [b"3 V", b" N", b" :", b"\n", b"4294967295", b"0", b"mektup 1\t5\t9\t1\t\n", b"\t"],
    ),
    Target(
        "mailbox-names",
        "names of mailboxes as names of files",
        mailbox_names,
        lambda: [b"Entw&APw-rfe/a.b", "İş/日本語".encode(), b"..", b"Other Users/x"],
        [b"/", b"&", b"-", b".", b"\\2e", b"&AOk-", b"\0", b"INBOX", b"Other Users"],
    ),
    Target(
        "labels",
        "property lists of Apple Mail, labels of Gmail",
        properties,
        lambda: [b"<plist><dict><key>flags</key><integer>1</integer></dict></plist>", b'Inbox,"a, b",=?UTF-8?Q?x?='],
        [b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"&a;", b",", b'"', b"=?UTF-8?Q?", b"?=", b"<plist>", b"</plist>"],
    ),
)
