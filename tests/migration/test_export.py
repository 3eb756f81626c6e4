"""What is exported can be imported again: the same octets, flags, dates and UIDs."""

from __future__ import annotations

import asyncio
import mailbox as python_mailbox
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.migration.eml.reading import EmlSource
from mektup.migration.export.eml import EmlTarget, EmlWriter
from mektup.migration.export.exporting import Exported, Exporter
from mektup.migration.export.file_names import level_name
from mektup.migration.export.folders import require_new
from mektup.migration.export.maildir import MaildirTarget
from mektup.migration.export.mbox import MboxTarget
from mektup.migration.export.octets import Lines
from mektup.migration.export.target import ExportedMailbox, Target, Tell
from mektup.migration.maildir.reading import MaildirSource
from mektup.migration.mbox.reading import MboxFile, MboxSource
from mektup.migration.mbox.trees import mboxes
from mektup.migration.names import from_octets
from mektup.migration.recognising import source_of
from mektup.migration.source import CannotRead, FileSource, quiet
from mektup.store.adoption import Adopted
from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import Uid, UidValidity
from tests.migration.conftest import Kept, Quiet, imported, mail_of
from tests.peer.corpus import messages

LIMITS = DEFAULT_LIMITS

MESSAGES = [
    b"Subject: plain\r\n\r\ntext\r\n",
    b"Subject: lines\r\n\r\nFrom here\r\n>From there\r\n\r\nFrom ali@example.org Mon Feb  7 21:52:25 2022\r\nX: y\r\n",
    b"Subject: no end of line\r\n\r\ntext",
    b"Subject: empty lines at the end\r\n\r\n\r\n\r\n\r\n",
    b"Subject: only a header\r\n",
    b"\r\nno header\r\n",
    b"From x\r\nas the first line\r\n",
    b">From x\r\nas the first line\r\n",
    b" a space\r\nas the first octet\r\n\r\ntext\r\n",
    b"Status: RO\r\nX-UID: 99\r\nX-Keywords: other\r\nContent-Length: 3\r\nX-Mozilla-Status: 0009\r\n\r\nits own\r\n",
    b"X-Mektup-Export: size=3; date=5; zone=0; saved=1\r\n\r\nan export in an export\r\n",
    b"Subject: odd\r\n\r\na\rb\r\r\n\r\r\r\nc\x00\xff\r",
    b"Subject: \xe9\xff\r\n\r\n" + b"long " * 300_000 + b"\r\nFrom z\r\n",
    b"Subject: large\r\n\r\n" + b"From x\r\n0123456789\r\n" * 200_000,
    b"x",
]

FLAGS = [
    frozenset({"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}),
    frozenset({"$Forwarded", "NonJunk", "\\Seen"}),
    frozenset[str](),
]

NAMES = ["INBOX", "Work/Letters/2020.old", "Entwürfe", "R&D", "..", ".hidden", "a\\2eb", "list.mbox", "mbox", "x.sbd/y"]


async def filled(account: Account, names: list[str]) -> None:
    """Puts the messages into mailboxes of these names, with gaps between UIDs."""
    for number, name in enumerate(names):
        mailbox = await account.adopt_mailbox(name, UidValidity(1000 + number), Uid(1))
        await account.adopt(
            mailbox.id,
            [
                Adopted(
                    Incoming(prepare(octets), FLAGS[at % 3], 1_600_000_000 + at, 60 * (at % 3 - 1)),
                    Uid(3 * at + 1),
                    1_500_000_000 + at,
                )
                for at, octets in enumerate(MESSAGES if number == 0 else MESSAGES[:2])
            ],
        )
        await account.adopt_mailbox(name, UidValidity(1000 + number), Uid(500))
    await account.subscribe("Entwürfe")
    await account.unsubscribe("Sent")


async def exported(account: Account, target: Target, name: str | None = None) -> tuple[Exported, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    exporter = Exporter(account, target, name, Quiet(), lambda place, text: told.append((place, str(text))), Exported())
    return await exporter.run(), told


Made = tuple[Callable[[Path], Target], Callable[[Path], FileSource]]

FORMS: dict[str, Made] = {
    "maildir": (MaildirTarget, lambda root: MaildirSource(root, LIMITS)),
    "mbox": (
        lambda root: MboxTarget(root, one_file=False),
        lambda root: MboxSource(list(mboxes(root, quiet, LIMITS)), LIMITS),
    ),
    "eml": (EmlTarget, lambda root: EmlSource(root, LIMITS)),
}


def without_zone(mail: list[Kept]) -> list[tuple[int, frozenset[str], bytes]]:
    return [(each.uid, each.flags, each.octets) for each in mail]


@pytest.mark.parametrize("form", FORMS)
async def test_everything_comes_back(account: Account, other_account: Account, tmp_path: Path, form: str) -> None:
    await filled(account, NAMES)
    target, source = FORMS[form]
    done, told = await exported(account, target(tmp_path / "out"))
    assert (told, done.problems, done.vanished) == ([], 0, 0)
    assert done.messages == len(MESSAGES) + 2 * (len(NAMES) - 1)
    assert source_of(tmp_path / "out", None, LIMITS, quiet)[0] == form
    back = await imported(other_account, source(tmp_path / "out"))
    assert (back.told, back.result.added) == ([], done.messages)
    for name in NAMES:
        old, new = await account.mailbox(name), await other_account.mailbox(name)
        assert (new.uidvalidity, new.uidnext, new.messages) == (old.uidvalidity, old.uidnext, old.messages)
        before, after = await mail_of(account, name), await mail_of(other_account, name)
        if form == "maildir":  # the date of a file has no zone
            assert without_zone(after) == without_zone(before)
            assert after[0].internaldate == "13-Sep-2020 12:26:40 +0000"
        else:
            assert after == before
    if form != "mbox":  # an mbox says nothing of its mailbox
        assert await other_account.subscriptions() == await account.subscriptions()
    again = await imported(other_account, source(tmp_path / "out"))
    assert (again.result.added, again.result.known) == (0, done.messages)


@pytest.mark.parametrize("form", FORMS)
async def test_the_corpus_comes_back(account: Account, other_account: Account, tmp_path: Path, form: str) -> None:
    """Real mail, with all that is wrong with it."""
    corpus = messages()
    if not corpus:
        pytest.skip("no corpus of messages: set MEKTUP_CORPUS, or put it at ../shared/corpus")
    mailbox = await account.mailbox("INBOX")
    for at, (name, octets) in enumerate(corpus.items()):
        zone = 60 * (at % 25 - 12)
        flags = FLAGS[at % 3]
        await account.append(mailbox.id, [Incoming(prepare(octets), flags, 1_000_000_000 + 86_400 * at, zone)])
        assert octets, name
    target, source = FORMS[form]
    await exported(account, target(tmp_path / "out"))
    back = await imported(other_account, source(tmp_path / "out"))
    assert back.told == []
    before, after = await mail_of(account), await mail_of(other_account)
    assert without_zone(after) == without_zone(before)
    if form != "maildir":
        assert after == before


@pytest.mark.parametrize("form", FORMS)
async def test_one_mailbox(account: Account, other_account: Account, tmp_path: Path, form: str) -> None:
    await filled(account, NAMES[:2])
    await exported(account, FORMS[form][0](tmp_path / "out"), "Work/Letters/2020.old")
    await imported(other_account, FORMS[form][1](tmp_path / "out"))
    assert len(await mail_of(other_account, "Work/Letters/2020.old")) == 2
    assert await mail_of(other_account) == []


async def test_one_mbox(account: Account, other_account: Account, tmp_path: Path) -> None:
    await filled(account, NAMES[:1])
    await exported(account, MboxTarget(tmp_path / "new" / "inbox.mbox", one_file=True), "inbox")
    await imported(other_account, MboxSource([MboxFile(tmp_path / "new" / "inbox.mbox", "INBOX")], LIMITS))
    assert await mail_of(other_account) == await mail_of(account)


async def test_a_mailbox_that_does_not_exist(account: Account, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        await exported(account, MaildirTarget(tmp_path / "out"), "Missing")
    assert refused.value.code is Code.NONEXISTENT
    assert not (tmp_path / "out").exists()


async def test_other_programs_read_it(account: Account, tmp_path: Path) -> None:
    await filled(account, NAMES[:1])
    await exported(account, MaildirTarget(tmp_path / "maildir"))
    read = python_mailbox.Maildir(tmp_path / "maildir", create=False)
    assert len(read) == len(MESSAGES)
    assert {"".join(sorted(each.get_flags())) for each in read} >= {"DFRST"}
    await exported(account, MboxTarget(tmp_path / "one", one_file=True), "INBOX")
    box = python_mailbox.mbox(tmp_path / "one", create=False)
    assert len(box) == len(MESSAGES)
    box.close()


async def test_files_are_private(account: Account, tmp_path: Path) -> None:
    await filled(account, NAMES[:2])
    for form, (target, _) in FORMS.items():
        await exported(account, target(tmp_path / form))
        modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / form).rglob("*")}
        assert modes <= {(True, 0o700), (False, 0o600)}


def test_a_place_where_something_is_stays_as_it_is(tmp_path: Path) -> None:
    require_new(tmp_path / "new")
    require_new(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(CannotRead):
            require_new(path)


async def test_more_keywords_than_a_maildir_has_letters_are_told(account: Account, tmp_path: Path) -> None:
    mailbox = (await account.mailbox("INBOX")).id
    keywords = [f"k{number:02}" for number in range(30)]
    await account.append(mailbox, [Incoming(prepare(MESSAGES[0]), frozenset(keywords))])
    done, told = await exported(account, MaildirTarget(tmp_path / "out"))
    assert done.problems == len(told) == 1
    assert "k29" in told[0][1]


async def test_long_names_are_cut_and_told(account: Account, tmp_path: Path) -> None:
    await filled(account, ["İ" * 300])
    for form, (target, _) in FORMS.items():
        done, told = await exported(account, target(tmp_path / form))
        assert [place for place, _ in told] == ["İ" * 300]
        assert done.messages == len(MESSAGES)


async def test_messages_that_go_and_come_meanwhile(account: Account, tmp_path: Path) -> None:
    await filled(account, NAMES[:1])
    mailbox = await account.mailbox("INBOX")
    meddling: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()

    async def meddle() -> None:
        await account.remove(mailbox.id, (await account.select("INBOX", claim_recent=False)).uids)
        await account.append(mailbox.id, [Incoming(prepare(MESSAGES[0]))])

    async def wait() -> None:
        await asyncio.gather(*meddling)

    class Meddles(Quiet):
        """Changes the mailbox after the export has read what there is, and before it reads messages."""

        def begin(self, messages: int | None) -> None:
            meddling.append(asyncio.ensure_future(meddle()))

    class Waits(EmlTarget):
        """Begins a mailbox when the meddling is over."""

        def mailbox(self, mailbox: ExportedMailbox, tell: Tell) -> EmlWriter:
            asyncio.run_coroutine_threadsafe(wait(), loop).result()
            return super().mailbox(mailbox, tell)

    exporter = Exporter(account, Waits(tmp_path / "out"), None, Meddles(), lambda place, text: None, Exported())
    await exporter.run()
    assert exporter.result.messages == 0, "one was removed, and the UID of the other is above the UIDNEXT that was read"


@pytest.mark.parametrize(
    "level", ["Work", "a.b", ".", "..", ".\u0330x", "é", "R&D", "&AOk-", "a\\2eb", "\\", "x" * 150, "日本語", "~"]
)
@pytest.mark.parametrize("dots", [True, False])
def test_names_of_files(level: str, dots: bool) -> None:
    name = level_name(level, dots=dots, utf7=not dots)
    assert not name.startswith(".")
    assert "/" not in name
    assert dots or "." not in name
    assert from_octets([name.encode()], "", quiet, LIMITS) == level


texts_with_lines = st.lists(st.sampled_from([b"\r\n", b"\r", b"From ", b">", b"x", b"\r\r\n"]), max_size=20).map(
    b"".join
)


@given(texts_with_lines, st.lists(st.integers(0, 40), max_size=5))
def test_pieces_of_any_size_give_the_same_lines(octets: bytes, cuts: list[int]) -> None:
    whole, pieces = Lines(quoted=True), Lines(quoted=True)
    expected = whole.feed(octets) + whole.finish()
    at, found = 0, b""
    for cut in sorted(cuts):
        found += pieces.feed(octets[at:cut]) if cut > at else b""
        at = max(at, cut)
    found += pieces.feed(octets[at:]) + pieces.finish()
    assert found == expected
