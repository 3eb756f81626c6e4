"""Thunderbird against mektup, step by step as a person uses it; each test goes on where the one before ended."""

from __future__ import annotations

import imaplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.mektup import Mektup
from tests.clients.programs import program
from tests.clients.served import HOST, Account
from tests.desktop.marionette import SECONDS
from tests.desktop.thunderbird import Thunderbird, running

SUBJECTS = ["dinner at eight", "Şirket toplantısı", "the third letter"]
FOLDER = "Şirket/Öğle & akşam"
FOLDER_IN_UTF7 = "&AV4-irket/&ANYBHw-le &- ak&AV8-am"


@pytest.fixture(scope="module")
def said(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file that gets each line of the account's sessions, as ``mektup trace`` shows it."""
    assert isinstance(account.server, Mektup)
    path = tmp_path_factory.mktemp("trace") / "said"
    command = [sys.executable, "-u", "-m", "mektup", "trace", account.name, "--data", str(account.server.data)]
    with path.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    yield path
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def thunderbird(
    account: Account, said: Path, display: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Thunderbird]:
    home = tmp_path_factory.mktemp("thunderbird")
    with running(program("thunderbird", "thunderbird", home), display, home / "window.png") as started:
        yield started


@pytest.fixture(scope="module")
def desk(account: Account) -> Iterator[imaplib.IMAP4]:
    """Another client of the same account."""
    client = imaplib.IMAP4(HOST, account.port("imap"), timeout=30)
    client.login(account.name, account.password)
    yield client
    client.logout()


def letter(number: int, subject: str) -> bytes:
    head = f"From: Ada <ada@example.org>\r\nTo: linda@example.org\r\nMessage-ID: <{number}@example.org>\r\n"
    return f"{head}Subject: {subject}\r\n\r\nThis is letter {number}: {subject}.\r\n".encode()


def until(holds: Callable[[], bool]) -> None:
    """Waits until *holds*: Thunderbird shows a change before it tells the server."""
    ends = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.3)


def flags_of(desk: imaplib.IMAP4, folder: str, subject: str) -> set[str]:
    desk.select(f'"{folder}"', readonly=True)
    found = desk.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT", f'"{subject}"'.encode())[1][0].split()
    assert len(found) == 1
    answer = desk.uid("FETCH", found[0].decode(), "(FLAGS)")[1][0]
    return {flag.decode() for flag in imaplib.ParseFlags(answer)}


def count(desk: imaplib.IMAP4, folder: str) -> int:
    answer = desk.status(f'"{folder}"', "(MESSAGES)")[1][0]
    return int(answer.rpartition(b" ")[2].rstrip(b")"))


def test_an_account_is_set_up_and_its_folders_and_messages_are_shown(
    thunderbird: Thunderbird, account: Account, desk: imaplib.IMAP4
) -> None:
    for number, subject in enumerate(SUBJECTS):
        desk.append("INBOX", "", "", letter(number, subject))
    thunderbird.set_up(account.name, account.password, account.port("imaps"))
    thunderbird.show("INBOX")
    thunderbird.until_subjects("INBOX", SUBJECTS)
    special = "return ['Drafts', 'Sent', 'Trash', 'Junk', 'Archive'].every(name => named(name));"
    thunderbird.until(special)


def test_flags_go_both_ways(thunderbird: Thunderbird, desk: imaplib.IMAP4) -> None:
    thunderbird.run(
        """
        const inbox = named("INBOX"), dinner = messages(inbox).filter(each => each.subject == a);
        inbox.markMessagesRead(dinner, true);
        inbox.markMessagesFlagged(dinner, true);
        inbox.addKeywordsToMessages(dinner, "$label1");
        """,
        SUBJECTS[0],
    )
    until(lambda: flags_of(desk, "INBOX", SUBJECTS[0]) >= {"\\Seen", "\\Flagged", "$label1"})
    desk.select("INBOX")
    desk.store("3", "+FLAGS", "(\\Flagged)")
    thunderbird.until(
        "fresh(named('INBOX')); return messages(named('INBOX')).find(each => each.subject == a).isFlagged;",
        SUBJECTS[2],
    )


def test_folders_are_made_and_renamed(thunderbird: Thunderbird, desk: imaplib.IMAP4) -> None:
    thunderbird.run("server.rootFolder.createSubfolder(a, null);", "Şirket")
    thunderbird.until("return Boolean(shown(a));", "Şirket")
    thunderbird.run("shown(a).createSubfolder(b, null);", "Şirket", "Öğle")
    thunderbird.until("return Boolean(shown(a));", "Öğle")
    thunderbird.run("shown(a).rename(b, null);", "Öğle", "Öğle & akşam")
    thunderbird.until("return Boolean(shown(a));", "Öğle & akşam")
    until(lambda: desk.list('""', f'"{FOLDER_IN_UTF7}"')[1] != [None])


def test_a_message_is_moved(thunderbird: Thunderbird, desk: imaplib.IMAP4) -> None:
    thunderbird.run(
        """
        const inbox = named("INBOX"), target = shown(b);
        const moved = messages(inbox).filter(each => each.mime2DecodedSubject == a);
        await listening(it => MailServices.copy.copyMessages(inbox, moved, target, true, it, null, false));
        """,
        SUBJECTS[1],
        "Öğle & akşam",
    )
    thunderbird.until_subjects("INBOX", [SUBJECTS[0], SUBJECTS[2]])
    until(lambda: count(desk, FOLDER_IN_UTF7) == 1)


def test_a_search_on_the_server_finds_a_body(thunderbird: Thunderbird) -> None:
    found = thunderbird.run(
        """
        const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
        const term = session.createTerm(), value = term.value;
        value.attrib = term.attrib = Ci.nsMsgSearchAttrib.Body;
        value.str = a;
        term.value = value;
        term.op = Ci.nsMsgSearchOp.Contains;
        session.appendTerm(term);
        session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, named("INBOX"));
        const hits = [];
        await new Promise((resolve, reject) => {
            session.registerListener({
                onSearchHit(message) { hits.push(message.mime2DecodedSubject); },
                onSearchDone(status) { status ? reject(new Error(`status ${status}`)) : resolve(); },
                onNewSearch() {},
            });
            session.search(null);
        });
        return hits;
        """,
        "letter 2: the third",
    )
    assert found == [SUBJECTS[2]]


def test_new_mail_is_shown(thunderbird: Thunderbird, desk: imaplib.IMAP4) -> None:
    thunderbird.show("INBOX")
    desk.append("INBOX", "", "", letter(4, "just now"))
    thunderbird.until("fresh(named('INBOX')); return subjects(named('INBOX')).includes('just now');")


def test_a_message_is_deleted(thunderbird: Thunderbird, desk: imaplib.IMAP4) -> None:
    thunderbird.run(
        """
        const inbox = named("INBOX"), gone = messages(inbox).filter(each => each.subject == a);
        await listening(it => inbox.deleteMessages(gone, null, false, false, it, false));
        """,
        SUBJECTS[0],
    )
    thunderbird.until_subjects("Trash", [SUBJECTS[0]])
    until(lambda: count(desk, "Trash") == 1)


def test_the_quota_is_shown(thunderbird: Thunderbird) -> None:
    thunderbird.show("INBOX")
    thunderbird.until(
        """
        fresh(named('INBOX'));
        const quota = named('INBOX').QueryInterface(Ci.nsIMsgImapMailFolder).getQuota();
        return quota.some(each => each.name.endsWith('STORAGE') && Number(each.limit) == 10240);
        """
    )


def test_nothing_was_refused(thunderbird: Thunderbird, said: Path) -> None:
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    assert any("SELECT" in line for line in lines)
    assert not [line for line in lines if " NO " in line or " BAD " in line]
