"""Roundcube in a browser against mektup, as a person uses it."""

from __future__ import annotations

import imaplib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.programs import absent, program
from tests.clients.served import HOST, Account, new_account
from tests.desktop.roundcube import serving_webmail

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install 'mektup[desktop]'")
By = pytest.importorskip("selenium.webdriver.common.by").By
Service = pytest.importorskip("selenium.webdriver.chrome.service").Service
StaleElement = pytest.importorskip("selenium.common.exceptions").StaleElementReferenceException

SECONDS = 60.0
FOLDER_IN_UTF7 = "Hesap/&ANY-demeler"
ACL_ROWS = "return $('#acltable tbody tr').map((_, row) => $(row).text()).get()"


@dataclass(frozen=True, slots=True)
class Webmail:
    """A browser that is logged in to Roundcube."""

    browser: webdriver.Chrome
    url: str
    log: Path
    """What Roundcube and the server said to each other."""

    def shown(self, selector: str) -> list[str]:
        """The texts of the elements that are shown."""
        try:
            return [each.text for each in self.browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]
        except StaleElement:
            return []

    def until(self, holds: Callable[[], object]) -> None:
        """Waits until *holds*."""
        ends = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < ends
            time.sleep(0.2)

    def subjects(self) -> list[str]:
        """The subjects of the list of messages, from the top."""
        return self.shown("#messagelist tr.message span.subject a")

    def run(self, script: str) -> object:
        """What a script in the page returns."""
        return self.browser.execute_script(script)

    def open(self, folder: str) -> None:
        """Opens a folder, named in modified UTF-7."""
        self.browser.get(f"{self.url}/?_task=mail&_mbox={folder.replace('&', '%26').replace('/', '%2F')}")
        self.until(lambda: self.run("return window.rcmail && rcmail.env.mailbox && !rcmail.busy"))


@pytest.fixture(scope="module")
def desk(account: Account) -> Iterator[imaplib.IMAP4]:
    """Another client of the same account, which has filled it."""
    client = imaplib.IMAP4(HOST, account.port("imap"), timeout=30)
    client.login(account.name, account.password)
    client.create(f'"{FOLDER_IN_UTF7}"')
    client.subscribe(f'"{FOLDER_IN_UTF7}"')
    for number, (subject, answers) in enumerate([("the house", 0), ("the house", 1), ("the house", 1), ("alone", 0)]):
        client.append("INBOX", "", "", letter(number, f"{'Re: ' if answers else ''}{subject}", answers=answers))
    yield client
    client.logout()


def letter(number: int, subject: str, *, answers: int = 0) -> bytes:
    head = [
        "From: Ada <ada@example.org>",
        "To: linda@example.org",
        f"Subject: {subject}",
        f"Message-ID: <{number}@example.org>",
        f"Date: Mon, 30 Nov 2026 10:0{number}:00 +0000",
        *(["References: <0@example.org>", "In-Reply-To: <0@example.org>"] if answers else []),
    ]
    return "\r\n".join([*head, "", f"This is letter {number}.", ""]).encode()


@pytest.fixture(scope="module")
def webmail(account: Account, desk: imaplib.IMAP4, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webmail]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        absent("Chromium is not installed (Debian: chromium chromium-driver)")
    home = tmp_path_factory.mktemp("roundcube")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{option}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    with serving_webmail(program("php", "php-cli", home), account) as url:
        browser = webdriver.Chrome(options=options, service=Service(driver))
        try:
            browser.implicitly_wait(SECONDS)
            browser.get(f"{url}/")
            browser.find_element(By.ID, "rcmloginuser").send_keys(account.name)
            browser.find_element(By.ID, "rcmloginpwd").send_keys(account.password)
            browser.find_element(By.ID, "rcmloginsubmit").click()
            browser.find_element(By.ID, "messagelist")
            browser.implicitly_wait(0)
            yield Webmail(browser, url, home / "logs" / "imap.log")
        finally:
            browser.save_screenshot(str(home / "window.png"))
            browser.quit()


def test_folders_and_messages_are_listed(webmail: Webmail) -> None:
    webmail.until(lambda: webmail.subjects() == ["alone", "Re: the house", "Re: the house", "the house"])
    folders = webmail.shown("#mailboxlist li a")
    assert {"Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive", "Hesap"} <= {each.split("\n")[0] for each in folders}


def test_a_message_is_read(webmail: Webmail, desk: imaplib.IMAP4) -> None:
    webmail.browser.get(f"{webmail.url}/?_task=mail&_mbox=INBOX&_uid={uid(desk, 'alone')}&_action=show")
    webmail.until(lambda: any("This is letter 3." in each for each in webmail.shown("#messagebody")))
    webmail.until(lambda: "\\Seen" in flags(desk, "alone"))


def test_messages_are_threaded_by_the_server(webmail: Webmail) -> None:
    webmail.open("INBOX")
    webmail.run("rcmail.set_list_options([], 'date', 'DESC', 1)")
    webmail.until(lambda: webmail.run("return rcmail.env.threading == 1 && !rcmail.busy"))
    webmail.until(
        lambda: webmail.run("return $('#messagelist tr.message div.collapsed, tr.message div.expanded').length")
    )
    assert re.search(r"C: \S+ (UID )?THREAD REF\S+ ", webmail.log.read_text())


def test_a_search_finds_the_text_of_a_message(webmail: Webmail) -> None:
    webmail.open("INBOX")
    webmail.run("rcmail.set_list_options([], 'date', 'DESC', 0)")
    webmail.until(lambda: len(webmail.subjects()) == 4)
    webmail.run(
        "rcmail.env.search_mods = {'*': {text: 1}}; $('#mailsearchform').val('letter 2'); rcmail.command('search');"
    )
    webmail.until(lambda: webmail.subjects() == ["Re: the house"])
    webmail.run("rcmail.command('reset-search');")


def test_a_message_is_moved(webmail: Webmail, desk: imaplib.IMAP4) -> None:
    webmail.open("INBOX")
    webmail.until(lambda: len(webmail.subjects()) == 4)
    webmail.run(f"rcmail.message_list.select({uid(desk, 'alone')}); rcmail.move_messages('{FOLDER_IN_UTF7}');")
    webmail.until(lambda: "alone" not in webmail.subjects())
    webmail.open(FOLDER_IN_UTF7)
    webmail.until(lambda: webmail.subjects() == ["alone"])


def test_the_quota_is_shown(webmail: Webmail) -> None:
    webmail.open("INBOX")
    webmail.until(lambda: "%" in "".join(webmail.shown("#quotadisplay")))
    assert re.search(r"S: \* QUOTA .*STORAGE \d+ 10240", webmail.log.read_text())


def test_who_may_see_a_folder_is_shown_and_changed(webmail: Webmail, account: Account, desk: imaplib.IMAP4) -> None:
    friend = new_account(account.server)
    desk.setacl(f'"{FOLDER_IN_UTF7}"', friend.name, "lrs")
    folder = FOLDER_IN_UTF7.replace("&", "%26").replace("/", "%2F")
    webmail.browser.get(f"{webmail.url}/?_task=settings&_action=edit-folder&_mbox={folder}")
    webmail.until(lambda: any(friend.name in each for each in webmail.run(ACL_ROWS)))
    asked = f"{{_act: 'delete', _user: '{friend.name}', _mbox: rcmail.env.mailbox}}"
    webmail.run(f"rcmail.http_post('settings/plugin.acl', {asked});")
    webmail.until(lambda: friend.name.encode() not in desk.getacl(f'"{FOLDER_IN_UTF7}"')[1][0])


def test_nothing_was_refused(webmail: Webmail) -> None:
    assert not re.findall(r"S: \S+ (?:NO|BAD) .*", webmail.log.read_text())


def uid(desk: imaplib.IMAP4, subject: str) -> str:
    desk.select("INBOX", readonly=True)
    (found,) = desk.uid("SEARCH", "SUBJECT", subject)[1][0].split()
    return found.decode()


def flags(desk: imaplib.IMAP4, subject: str) -> set[str]:
    answer = desk.uid("FETCH", uid(desk, subject), "(FLAGS)")[1][0]
    return {flag.decode() for flag in imaplib.ParseFlags(answer)}
