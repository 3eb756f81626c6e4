"""Configures neomutt for a test: one account, and all its files in one folder."""

from __future__ import annotations

from pathlib import Path

from .programs import private_file
from .served import Account

CONFIGURATION = """\
set imap_user = "{name}"
set imap_pass = '{password}'
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


def configured(account: Account, scheme: str, home: Path, more: str = "") -> Path:
    """Writes a configuration file in *home*, for *account* at the port of *scheme*; *more* are lines for its end."""
    (home / "cache").mkdir()
    return private_file(
        home / "neomuttrc",
        CONFIGURATION.format(
            name=account.name,
            password=account.password,
            scheme=scheme,
            port=account.port(scheme),
            certificate=account.certificate,
            home=home,
        )
        + more,
    )


def environment(home: Path) -> dict[str, str]:
    """The environment that neomutt gets."""
    return {"HOME": str(home), "LC_ALL": "C.UTF-8"}
