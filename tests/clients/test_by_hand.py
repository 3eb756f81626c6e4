"""A person with telnet, or with openssl s_client, who types IMAP."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mail import DOTS, PLAIN, append
from .programs import program
from .served import HOST, Account
from .terminal import terminal

PROGRAMS = {
    "telnet": ("telnet", "telnet"),
    "tls": ("openssl", "openssl"),
}
"""The program, and Debian's package."""


@pytest.mark.parametrize("way", PROGRAMS)
def test_log_in_select_fetch_log_out(account: Account, tmp_path: Path, way: str) -> None:
    name, package = PROGRAMS[way]
    client = program(name, package, tmp_path)
    tmux = program("tmux", "tmux", tmp_path)
    append(account, "INBOX", [DOTS, DOTS, PLAIN])
    words = {
        "telnet": [HOST, str(account.port("imap"))],
        "tls": ["s_client", "-crlf", "-quiet", "-connect", f"{HOST}:{account.port('imaps')}"],
    }
    # The shell goes on, so that the last output of the program stays on the screen.
    command = ["sh", "-c", '"$@"; echo "it ended"; read -r _', "sh", client.path, *words[way]]
    with terminal(tmux.path, command, tmp_path, {"HOME": str(tmp_path)}) as screen:
        screen.wait_for("* OK [CAPABILITY")
        screen.type(f"A001 LOGIN {account.name} {account.password}")
        screen.wait_for("A001 OK")
        screen.type("A002 SELECT INBOX")
        screen.wait_for("* 3 EXISTS", "A002 OK [READ-WRITE]")
        screen.type("A003 FETCH 3 BODY[TEXT]")
        screen.wait_for("* 3 FETCH (", "BODY[TEXT] {14}", "Come hungry.", "A003 OK")
        screen.type("A004 LOGOUT")
        screen.wait_for("* BYE", "A004 OK", "it ended")
