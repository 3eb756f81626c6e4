"""docs/at-home.md, followed word for word on Debian with Postfix; what ``at_home/machine.py`` says is stood in for."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

from .at_home import follow, machine, page
from .programs import absent

PROGRAMS = {
    "postfix": "postfix",
    "swaks": "swaks",
    "ip": "iproute2",
    "setpriv": "util-linux",
    "adduser": "adduser",
    "systemd-analyze": "systemd",
    "openssl": "openssl",
}
SECONDS = 280

pytestmark = pytest.mark.timeout(SECONDS + 20)


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the script saw."""
    if os.geteuid() != 0:
        pytest.skip("only root can make the machine of the page")
    namespaces = ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*namespaces, "true"], capture_output=True).returncode:
        pytest.skip("this root may not make namespaces")
    if sys.base_prefix != "/usr":
        pytest.skip("the page is for Debian's own Python")
    for name, package in PROGRAMS.items():
        if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            absent(f"{name} is not installed (Debian: {package})")
    done = subprocess.run(
        [*namespaces, sys.executable, follow.__file__], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_mail_from_outside_reaches_a_client_in_idle(seen: dict[str, Any]) -> None:
    assert seen["idle"]["refused"] == ""
    assert seen["idle"]["exists"]
    header = seen["idle"]["header"]
    assert header.startswith("Return-Path: <ada@example.net>\r\nReceived: ")
    assert f"[{machine.OUTSIDE}]" in header


def test_an_unknown_recipient_is_refused_at_rcpt(seen: dict[str, Any]) -> None:
    assert seen["unknown"].startswith("550 5.1.1 <nobody@example.org>: Recipient address rejected")


def test_nobody_outside_may_send_on(seen: dict[str, Any]) -> None:
    assert "Relay access denied" in seen["relay"]
    assert "Access denied" in seen["without login"]


def test_an_alias_leads_to_all_its_accounts(seen: dict[str, Any]) -> None:
    assert seen["alias"] == ""
    assert seen["both"] == [True, True]


@pytest.mark.parametrize("port", [587, 465])
def test_an_answer_leaves_by_submission(seen: dict[str, Any], port: int) -> None:
    assert seen[f"submitted {port}"] == ""
    left = seen[f"left {port}"]
    assert "X-Mail-Args: <linda@example.org>" in left
    assert "X-Rcpt-Args: <ada@example.net>" in left


def test_submission_between_accounts(seen: dict[str, Any]) -> None:
    assert (seen["within"], seen["arrived within"]) == ("", True)


def test_nobody_sends_as_somebody_else(seen: dict[str, Any]) -> None:
    assert seen["forged"].startswith("553 5.7.1 <deniz@example.org>: Sender address rejected: not owned by user linda")
    assert seen["as alias"] == ""


def test_a_wrong_password_is_refused_and_logged_with_the_address_of_the_program(seen: dict[str, Any]) -> None:
    assert seen["wrong password"].startswith("535 5.7.8 ")
    assert f"auth_failed              address='{machine.OUTSIDE}' ip='{machine.OUTSIDE}'" in seen["log"]


def test_mail_for_root_goes_to_an_account(seen: dict[str, Any]) -> None:
    assert (seen["local root"], seen["root's mail"]) == ("", True)


def test_changes_count_at_once(seen: dict[str, Any]) -> None:
    assert seen["before"].startswith("550 5.1.1")
    assert seen["after"] == ""
    assert seen["removed"].startswith("550 5.1.1")
    assert seen["new domain"] == ""


def test_while_mektup_is_away_senders_try_later(seen: dict[str, Any]) -> None:
    assert seen["away"].startswith("451 4.3.0")
    assert (seen["back"], seen["login"]) == ("", "")


def test_systemd_has_no_complaint_about_the_unit(seen: dict[str, Any]) -> None:
    assert seen["verified"] == [0, ""]


def test_init_prints_the_commands_that_the_page_has(seen: dict[str, Any]) -> None:
    (block,) = (block for block in page.blocks() if "postconf" in block)
    assert block in seen["shown"]


def test_the_server_can_run_where_the_page_says(seen: dict[str, Any]) -> None:
    assert "\nthe server can run\n" in seen["shown"]
    assert "\nerror " not in seen["shown"]


def test_the_records_and_the_settings_are_printed(seen: dict[str, Any]) -> None:
    assert "_submissions._tcp.example.org.       IN SRV    0 1 465 mail.example.org." in seen["shown"]
    settings = ElementTree.fromstring(seen["files"]["config-v1.1.xml"])
    assert settings.findtext(".//incomingServer/hostname") == "mail.example.org"
    profile = plistlib.loads(seen["files"]["linda.mobileconfig"].encode())
    assert profile["PayloadContent"][0]["IncomingMailServerUsername"] == "linda@example.org"
