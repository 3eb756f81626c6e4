"""neomutt with a header cache and QRESYNC: after a reconnect it is told which messages are gone, new or flagged."""

from __future__ import annotations

from pathlib import Path

from .mail import ATTACHMENT, DOTS, ENCODED, PLAIN, append, deliver, logged_in
from .neomutt import configured, environment
from .programs import program
from .served import Account
from .terminal import terminal

RESYNCHRONISED = "set imap_condstore = yes\nset imap_qresync = yes\nset delete = no\n"


def test_comes_back_by_qresync(account: Account, tmp_path: Path) -> None:
    neomutt = program("neomutt", "neomutt", tmp_path)
    tmux = program("tmux", "tmux", tmp_path)
    append(account, "INBOX", [PLAIN, DOTS, ENCODED])
    configuration = configured(account, "imaps", tmp_path, RESYNCHRONISED)
    command = [neomutt.path, "-F", str(configuration), "-d", "2", "-l", str(tmp_path / "log")]
    log = tmp_path / "log0"  # the log of the last run: neomutt numbers them

    with terminal(tmux.path, command, tmp_path, environment(tmp_path)) as screen:
        screen.wait_for("dinner at eight", "dots", "Akşam yemeği", "Msgs:3")
        screen.press("q")
        screen.wait_for_end()
    assert "VANISHED)" not in log.read_text()

    with logged_in(account) as elsewhere:
        elsewhere.select("INBOX")
        elsewhere.store("2", "+FLAGS", r"(\Deleted)")
        elsewhere.expunge()
        elsewhere.store("2", "+FLAGS", r"(\Flagged)")
    deliver(account, ATTACHMENT)

    (tmp_path / "output").unlink()
    with terminal(tmux.path, command, tmp_path, environment(tmp_path)) as screen:
        shown = screen.wait_for("dinner at eight", "Akşam yemeği", "with an attachment", "Msgs:3", gone="dots")
        [flagged] = [line for line in shown.splitlines() if "Akşam yemeği" in line]
        assert "!" in flagged
        screen.press("q")
        screen.wait_for_end()
    # Debian's neomutt counts wrongly after any VANISHED, from Dovecot too, and then opens the mailbox again
    said = log.read_text()
    assert "CHANGEDSINCE" in said
    assert "VANISHED)" in said
    assert "Expunging message UID 2" in said
