"""neomutt and mutt on a terminal: open the mailbox, show the subjects, read, delete, are told of new mail, sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import ATTACHMENT, DOTS, ENCODED, PLAIN, append, as_delivered, deliver, held
from .neomutt import configured, environment
from .programs import program
from .served import Account
from .terminal import terminal

COMPRESSED = "set imap_deflate = yes\nset imap_qresync = yes\n"


@pytest.mark.parametrize(
    ("name", "scheme", "more"), [("neomutt", "imap", ""), ("neomutt", "imaps", ""), ("mutt", "imaps", COMPRESSED)]
)
def test_read_delete_and_sync(account: Account, tmp_path: Path, name: str, scheme: str, more: str) -> None:
    mutt = program(name, name, tmp_path)
    tmux = program("tmux", "tmux", tmp_path)
    append(account, "INBOX", [PLAIN, DOTS, ENCODED])
    configuration = configured(account, scheme, tmp_path, more)
    with terminal(
        tmux.path, [mutt.path, "-F", str(configuration), "-d", "2"], tmp_path, environment(tmp_path)
    ) as screen:
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

    if more:
        said = (tmp_path / ".muttdebug0").read_text(errors="replace")
        assert "COMPRESS DEFLATE" in said
        assert "ENABLED CONDSTORE QRESYNC" in said
    now = held(account)
    assert [as_delivered(m.raw) for m in now] == [PLAIN, ENCODED, ATTACHMENT]
    assert ["\\Seen" in m.flags for m in now] == [True, True, False]
