"""A private Dovecot as witness: with its own directory and port and one account; it is removed at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "linda"
PASSWORD = "witness"

CONFIGURATION = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
listen = 127.0.0.1
mail_location = {location}
mail_uid = {owner}
mail_gid = {owner_group}
mail_max_userip_connections = 100
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner_group} home={root}/mail/%u
}}
"""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server, and the account to log in to."""

    host: str
    port: int
    user: str
    password: str


def missing() -> str | None:
    """Why Dovecot cannot be started here, or None if it can."""
    if shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
        return "dovecot is not installed (Debian: dovecot-imapd)"
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _users() -> dict[str, str]:
    """The users that it runs as: Debian's own users if we are root, else our own user for everything."""
    if os.getuid() == 0:
        return {
            "internal": "dovecot",
            "login": "dovenull",
            "group": "dovecot",
            "owner": "dovecot",
            "owner_group": "dovecot",
        }
    me = pwd.getpwuid(os.getuid()).pw_name
    return {"internal": me, "login": me, "group": str(os.getgid()), "owner": me, "owner_group": str(os.getgid())}


def owner() -> tuple[str, str]:
    """The user and the group that mail belongs to."""
    users = _users()
    return users["owner"], users["owner_group"]


@contextmanager
def running(root: Path, location: str = "sdbox:{root}/mail/%u") -> Iterator[Address]:
    """A Dovecot in the directory *root* that answers on a loopback port until the block ends.

    *location* says where and in which form it keeps the mail, with the fields of its configuration.
    """
    port = _free_port()
    users = _users()
    mail = root / "mail"
    mail.mkdir()
    root.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(mail, users["owner"])
    configuration = root / "dovecot.conf"
    text = CONFIGURATION.format(root=root, port=port, password=PASSWORD, location=location.format(root=root), **users)
    configuration.write_text(text)
    binary = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert binary is not None
    server = subprocess.Popen([binary, "-F", "-c", str(configuration)], stdin=subprocess.DEVNULL)
    try:
        _await_greeting(server, port, root / "dovecot.log")
        yield Address("127.0.0.1", port, USER, PASSWORD)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _await_greeting(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(100).startswith(b"* OK"):
                    return
        except OSError:
            time.sleep(0.05)
    server.terminate()
    raise RuntimeError(f"dovecot did not start:\n{log.read_text() if log.exists() else ''}")
