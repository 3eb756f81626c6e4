"""neomutt on a terminal: opens the mailbox, shows the subjects, reads, deletes, is told of new mail, syncs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import ATTACHMENT, DOTS, ENCODED, PLAIN, append, as_delivered, deliver, held
from .neomutt import configured, environment
from .programs import program
from .served import Account
from .terminal import terminal


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_read_delete_and_sync(account: Account, tmp_path: Path, scheme: str) -> None:
    neomutt = program("neomutt", "neomutt", tmp_path)
    tmux = program("tmux", "tmux", tmp_path)
    append(account, "INBOX", [PLAIN, DOTS, ENCODED])
    configuration = configured(account, scheme, tmp_path)
    with terminal(tmux.path, [neomutt.path, "-F", str(configuration)], tmp_path, environment(tmp_path)) as screen:
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
