"""neomutt on a terminal: opens the mailbox, shows the subjects, reads, deletes, hears of new mail, syncs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import ATTACHMENT, DOTS, ENCODED, PLAIN, append, as_delivered, deliver, held
from .programs import private_file, program
from .served import Account
from .terminal import terminal

CONFIGURATION = """\
set imap_user = "{name}"
set imap_pass = "{password}"
set folder = "{scheme}://localhost:{port}/"
set spoolfile = "+INBOX"
set certificate_file = "{certificate}"
set ssl_starttls = no
set ssl_force_tls = no
set imap_idle = yes
set timeout = 1
set mail_check = 1
set header_cache = "{home}/cache"
set message_cachedir = "{home}/cache"
set sort = mailbox-order
set delete = yes
set quit = yes
set mark_old = no
set wait_key = no
set beep = no
set pager_index_lines = 0
set status_format = "%f Msgs:%m New:%n Del:%d"
set index_format = "%4C %Z %s"
"""


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_read_delete_and_sync(account: Account, tmp_path: Path, scheme: str) -> None:
    neomutt = program("neomutt", "neomutt", tmp_path)
    tmux = program("tmux", "tmux", tmp_path)
    append(account, "INBOX", [PLAIN, DOTS, ENCODED])
    (tmp_path / "cache").mkdir()
    configuration = private_file(
        tmp_path / "neomuttrc",
        CONFIGURATION.format(
            name=account.name,
            password=account.password,
            scheme=scheme,
            port=account.port(scheme),
            certificate=account.certificate,
            home=tmp_path,
        ),
    )
    environment = {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    with terminal(tmux.path, [neomutt.path, "-F", str(configuration)], tmp_path, environment) as screen:
        screen.wait_for("dinner at eight", "dots", "Akşam yemeği", "Msgs:3")

        screen.press("1", "Enter", "Enter")
        screen.wait_for("Come hungry.")
        screen.press("q")
        screen.wait_for("Msgs:3", "dots")

        screen.press("3", "Enter", "Enter")
        screen.wait_for("Sekizde gelin, aç gelin.")
        screen.press("q")
        screen.wait_for("Msgs:3", "dots")

        screen.press("2", "Enter", "d")
        screen.wait_for("Del:1")
        screen.press("$")
        screen.wait_for("Msgs:2", gone="dots")

        deliver(account, ATTACHMENT)
        screen.wait_for("Msgs:3", "with an attachment")
        screen.press("q")
        screen.wait_for_end()

    now = held(account)
    assert [as_delivered(m.raw) for m in now] == [PLAIN, ENCODED, ATTACHMENT]
    assert ["\\Seen" in m.flags for m in now] == [True, True, False]
