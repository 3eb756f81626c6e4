"""Maildirs keep what Dovecot knows of them: UIDs, UIDVALIDITY, flags, keywords, dates, subscriptions."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest

from mektup.migration.importing import Plan
from mektup.migration.maildir.reading import MODSEQ_OF_DOVECOT, MaildirSource
from mektup.store.interface import Account
from mektup.terms.limits import DEFAULT_LIMITS
from tests.contract.mail import incoming
from tests.migration.conftest import imported, mail_of
from tests.migration.maildirs import DATE, crlf, folder, message, put, uidlist

LIMITS = DEFAULT_LIMITS
VALIDITY = 1234567890


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "Maildir")


def source(root: Path) -> MaildirSource:
    return MaildirSource(root, LIMITS)


def of_dovecot(root: Path) -> None:
    """Three messages with UIDs and keywords."""
    put(root, "1600000001.M1P1.host,S=100:2,FRSab", message("one"), date=DATE + 1)
    put(root, "1600000002.M2P1.host:2,", message("two"), date=DATE + 2)
    put(root, "1600000003.M3P1.host", message("three"), part="new", date=DATE + 3)
    (root / "dovecot-keywords").write_text("0 $Work\n1 NonJunk\n")
    uidlist(
        root,
        VALIDITY,
        100,
        "7 :1600000001.M1P1.host,S=100",
        "9 W120 :1600000002.M2P1.host",
        "12 :1600000004.M4P1.gone",
        "40 G12ab :1600000003.M3P1.host",
    )


async def test_uids_flags_keywords_and_dates_of_dovecot_are_kept(account: Account, root: Path) -> None:
    of_dovecot(root)
    done = await imported(account, source(root))
    assert (done.result.added, done.told) == (3, [])
    inbox = await account.mailbox("INBOX")
    assert (inbox.uidvalidity, inbox.uidnext, inbox.messages, inbox.recent) == (VALIDITY, 100, 3, 0)
    assert inbox.highestmodseq > MODSEQ_OF_DOVECOT
    one, two, three = await mail_of(account)
    assert (one.uid, one.flags) == (7, {"\\Flagged", "\\Answered", "\\Seen", "$Work", "NonJunk"})
    assert (one.internaldate, one.octets) == ("13-Sep-2020 12:26:41 +0000", crlf(message("one")))
    assert (two.uid, two.flags) == (9, frozenset())
    assert (three.uid, three.octets) == (40, crlf(message("three")))


async def test_a_second_run_brings_only_what_is_new(account: Account, root: Path) -> None:
    of_dovecot(root)
    await imported(account, source(root))
    inbox = await account.mailbox("INBOX")
    again = await imported(account, source(root))
    assert (again.result.added, again.result.known, again.told) == (0, 3, [])
    assert await account.mailbox("INBOX") == inbox
    put(root, "1600000009.M9P1.host:2,S", message("nine"))
    with (root / "dovecot-uidlist").open("a") as file:
        file.write("101 :1600000009.M9P1.host\n")
    third = await imported(account, source(root))
    assert (third.result.added, third.result.known) == (1, 3)
    assert [each.uid for each in await mail_of(account)] == [7, 9, 40, 101]


async def test_folders_of_maildir_plus_plus(account: Account, root: Path) -> None:
    for name in (".Work", ".Work.Letters", ".Entw&APw-rfe", ".&ZeVnLIqe-", ".Sent"):
        put(folder(root / name), "1.a:2,S", message(name))
    uidlist(root / ".Work.Letters", 77, 5, "3 :1.a")
    (root / "subscriptions").write_text("V\t2\n\nWork\tLetters\nEntw&APw-rfe\nGone\n")
    done = await imported(account, source(root))
    assert done.result.added == 5
    names = {each.name: each for each in await account.mailboxes()}
    assert {"INBOX", "Work", "Work/Letters", "Entwürfe", "日本語", "Sent"} <= names.keys()
    assert (names["Work/Letters"].uidvalidity, names["Work/Letters"].uidnext) == (77, 5)
    assert names["Sent"].special_use == "\\Sent"
    subscribed = await account.subscriptions()
    assert {"Work/Letters", "Entwürfe"} <= subscribed
    assert not {"Work", "日本語", "Gone"} & subscribed


async def test_folders_one_below_the_other(account: Account, tmp_path: Path) -> None:
    root = tmp_path / "mail"
    for name in ("INBOX", "Work", "Work/Letters", "Work/Letters/2020.old"):
        put(folder(root / name), "1.a:2,S", message(name))
    (root / "subscriptions").write_text("INBOX\nWork/Letters\n")
    done = await imported(account, source(root))
    assert (done.result.added, done.told) == (4, [])
    assert [each.octets for each in await mail_of(account, "Work/Letters/2020.old")]
    assert "Work/Letters" in await account.subscriptions()


async def test_a_maildir_without_files_of_a_server(account: Account, root: Path) -> None:
    put(root, "1600000002.b.host:2,RS", message("two"))
    put(root, "1600000001.a.host:2,T", message("one"), date=DATE - 86400)
    put(root, "nonsense", message("three"), part="new")
    sub = folder(root / ".Lists")
    put(sub, "1600000003.c.host:2,S", message("four"))
    done = await imported(account, source(root))
    assert (done.result.added, done.told) == (4, [])
    mail = await mail_of(account)
    assert [each.octets for each in mail] == [crlf(message(each)) for each in ("three", "one", "two")]
    assert mail[1].internaldate == "12-Sep-2020 12:26:40 +0000"
    assert "Lists" in await account.subscriptions(), "nobody else knows that the user wants to see it"
    again = await imported(account, source(root))
    assert (again.result.added, again.result.known) == (0, 4)


async def test_equal_messages_are_as_many_as_before(account: Account, root: Path) -> None:
    for name in ("1.a", "2.b", "3.c"):
        put(root, f"{name}:2,", message("same"))
    assert (await imported(account, source(root))).result.added == 3
    put(root, "4.d:2,", message("same"))
    assert (await imported(account, source(root))).result.added == 1


async def test_a_message_that_the_user_removed_does_not_come_back(account: Account, root: Path) -> None:
    of_dovecot(root)
    await imported(account, source(root))
    inbox = await account.mailbox("INBOX")
    await account.remove(inbox.id, (await account.select("INBOX", claim_recent=False)).uids)
    assert (await imported(account, source(root))).result.known == 3
    assert await mail_of(account) == []


async def test_courier_has_its_own_files(account: Account, root: Path) -> None:
    put(root, "1600000001.M1P1.host,S=5:2,S", message("one"))
    put(folder(root / ".Work"), "1600000001.M1P1.host:2,", message("two"))
    (root / "courierimapuiddb").write_text("1 99 8\n6 1600000001.M1P1.host,S=5\n")
    (root / "courierimapsubscribed").write_text("INBOX\nINBOX.Work\n")
    done = await imported(account, source(root))
    assert done.told == []
    inbox = await account.mailbox("INBOX")
    assert (inbox.uidvalidity, inbox.uidnext, [each.uid for each in await mail_of(account)]) == (99, 8, [6])
    assert "Work" in await account.subscriptions()


async def test_a_mailbox_with_mail_of_its_own_gives_new_uids(account: Account, root: Path) -> None:
    await account.append((await account.mailbox("INBOX")).id, [incoming()])
    of_dovecot(root)
    done = await imported(account, source(root))
    assert done.result.added == 3
    assert len(done.told) == 1
    assert "new UIDs" in done.problems[0]
    assert [each.uid for each in await mail_of(account)] == [1, 2, 3, 4]
    again = await imported(account, source(root))
    assert (again.result.added, again.result.known) == (0, 3)


async def test_mail_that_arrives_between_two_runs_costs_nobody_a_message(account: Account, root: Path) -> None:
    of_dovecot(root)
    await imported(account, source(root))
    inbox = await account.mailbox("INBOX")
    await account.append(inbox.id, [incoming()])
    put(root, "1600000009.M9P1.host:2,S", message("nine"))
    with (root / "dovecot-uidlist").open("a") as file:
        file.write("100 :1600000009.M9P1.host\n")
    done = await imported(account, source(root))
    assert (done.result.added, done.result.renumbered) == (1, 1)
    assert [each.uid for each in await mail_of(account)] == [7, 9, 40, 100, 101]
    assert (await mail_of(account))[-1].octets == crlf(message("nine"))
    assert (await imported(account, source(root))).result.added == 0


async def test_files_that_the_list_does_not_have_come_after_it(account: Account, root: Path) -> None:
    of_dovecot(root)
    put(root, "1500000000.M0P1.host:2,S", message("late"))
    await imported(account, source(root))
    assert [each.uid for each in await mail_of(account)] == [7, 9, 40, 100]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
async def test_compressed_messages(account: Account, root: Path, pack: object) -> None:
    assert callable(pack)
    put(root, "1.a:2,SZ", pack(message("packed" * 50)))
    put(root, "2.b:2,SZ", pack(message("cut"))[:-12])
    done = await imported(account, source(root))
    assert [each.octets for each in await mail_of(account)] == [crlf(message("packed" * 50))]
    assert [Path(place).name for place, _ in done.told] == ["2.b:2,SZ"]


async def test_what_cannot_be_read_is_told_with_its_place_and_the_rest_goes_on(account: Account, root: Path) -> None:
    put(root, "1.empty:2,", b"")
    put(root, "2.zstd:2,", b"\x28\xb5\x2f\xfdxxx")
    put(root, "3.crypt:2,", b"CRYPTED\x03\x07xxx")
    os.mkfifo(root / "cur" / "4.pipe:2,")
    (root / "cur" / "5.link:2,").symlink_to("/etc/hostname")
    put(root, "6.good:2,", message("good"))
    put(folder(root / "&bad"), "1.a:2,", message("bad name"))
    (root / ".Elsewhere").symlink_to(root / "cur")
    done = await imported(account, source(root))
    assert [each.octets for each in await mail_of(account)] == [crlf(message("good"))]
    told = {Path(place).name.partition(":")[0] for place, _ in done.told}
    assert told == {"1.empty", "2.zstd", "3.crypt", "4.pipe", "5.link", ".Elsewhere"}
    assert done.result.problems == 6
    await account.mailbox("&bad")


async def test_a_damaged_list_of_uids_costs_the_uids_only(account: Account, root: Path) -> None:
    of_dovecot(root)
    (root / "dovecot-uidlist").write_bytes(b"\0\xff nonsense\n1 2 3\n")
    done = await imported(account, source(root))
    assert done.result.added == 3
    assert [place for place, _ in done.told] == [str(root / "dovecot-uidlist")]


async def test_lines_of_the_list_that_cannot_be_read(account: Account, root: Path) -> None:
    of_dovecot(root)
    lines = "9 :1600000002.M2P1.host", "broken", "7 :1600000001.M1P1.host", "12 :1600000002.M2P1.host"
    uidlist(root, VALIDITY, 100, *lines)
    done = await imported(account, source(root))
    assert done.problems == ["3 lines of the list of UIDs cannot be read; their messages get new UIDs"]
    assert [each.uid for each in await mail_of(account)] == [9, 100, 101]


async def test_a_message_that_gets_its_uid_between_two_runs_is_not_brought_twice(account: Account, root: Path) -> None:
    of_dovecot(root)
    put(root, "1700000000.M8P1.host", message("late"), part="new")
    assert (await imported(account, source(root))).result.added == 4
    with (root / "dovecot-uidlist").open("a") as file:
        file.write("103 :1700000000.M8P1.host\n")
    done = await imported(account, source(root))
    assert (done.result.added, done.result.known, done.told) == (0, 4, [])
    assert [each.uid for each in await mail_of(account)] == [7, 9, 40, 100]


async def test_a_dry_run_says_the_same_and_changes_nothing(account: Account, root: Path) -> None:
    of_dovecot(root)
    put(root, "1.empty:2,", b"")
    put(folder(root / ".New"), "1.a:2,", message("x"))
    before = await account.mailboxes()
    dry = await imported(account, source(root), Plan(dry_run=True))
    assert await account.mailboxes() == before
    done = await imported(account, source(root))
    assert dry == done
    assert (await imported(account, source(root), Plan(dry_run=True))).result.known == 4


async def test_a_maildir_is_followed(account: Account, root: Path) -> None:
    of_dovecot(root)
    await imported(account, source(root))
    inbox = await account.mailbox("INBOX")
    await account.append(inbox.id, [incoming()])
    (root / "cur" / "1600000001.M1P1.host,S=100:2,FRSab").rename(root / "cur" / "1600000001.M1P1.host,S=100:2,Sa")
    (root / "cur" / "1600000002.M2P1.host:2,").unlink()
    dry = await imported(account, source(root), Plan(follow=True, dry_run=True))
    done = await imported(account, source(root), Plan(follow=True))
    assert dry == done
    assert (done.result.flags, done.result.removed, done.result.known, done.told) == (1, 1, 2, [])
    mail = await mail_of(account)
    assert [each.uid for each in mail] == [7, 40, 100], "what arrived here stays"
    assert mail[0].flags == {"\\Seen", "$Work"}


async def test_a_folder_that_was_made_anew_is_told(account: Account, root: Path) -> None:
    of_dovecot(root)
    await imported(account, source(root))
    uidlist(root, VALIDITY + 1, 5, "1 :1600000001.M1P1.host,S=100")
    done = await imported(account, source(root))
    assert len(done.told) == 1
    assert [each.uid for each in await mail_of(account)] == [7, 9, 40]


async def test_into_another_mailbox(account: Account, root: Path) -> None:
    of_dovecot(root)
    put(folder(root / ".Work"), "1.a:2,", message("x"))
    await imported(account, source(root), Plan(into="Old/Mail"))
    assert [each.uid for each in await mail_of(account, "Old/Mail")] == [7, 9, 40]
    assert len(await mail_of(account, "Old/Mail/Work")) == 1
    assert await mail_of(account) == []


async def test_names_that_mektup_does_not_accept_are_changed_and_told(account: Account, tmp_path: Path) -> None:
    root = tmp_path / "mail"
    for name in (b"Other Users", b"tab\there", b"a" * 250 + b"/" + b"b" * 250, b"\xff\xfe"):
        put(folder(Path(os.fsdecode(os.fsencode(root) + b"/" + name))), "1.a:2,", message("x"))
    done = await imported(account, source(root))
    assert done.result.added == 4
    names = {each.name for each in await account.mailboxes()}
    assert {"Other Users (imported)", "tab_here"} <= names
    assert len(done.told) >= 3


async def test_a_message_over_the_limit_is_told(account: Account, root: Path) -> None:
    put(root, "1.big:2,", message("big", "x" * 5000))
    put(root, "2.small:2,", message("small"))
    limits = type(LIMITS)(message_bytes=1000)
    done = await imported(account, MaildirSource(root, limits), limits=limits)
    assert (done.result.added, len(done.told)) == (1, 1)
    assert "1.big" in done.told[0][0]


async def test_a_large_message_is_not_held_in_memory(account: Account, root: Path) -> None:
    octets = message("big", "x\n" * 3_000_000)
    put(root, "1.big:2,", octets)
    await imported(account, source(root))
    assert (await account.mailbox("INBOX")).size == len(crlf(octets))


async def test_too_many_keywords_cost_the_keywords_only(account: Account, root: Path) -> None:
    put(root, "1.a:2,Sa", message("x"))
    put(root, "2.b:2,", message("y"))
    (root / "dovecot-keywords").write_text("0 $Work\n")
    limits = type(LIMITS)(keywords_per_mailbox=0)
    done = await imported(account, source(root), limits=limits)
    assert done.result.added == 2
