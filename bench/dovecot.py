"""A private Dovecot on loopback: the peer of the benchmark, and the witness of the client tests.

It is Debian's package with a configuration written here: sdbox, accounts from a passwd-file, the default fsync. What
would only slow it down in this comparison is off: a process serves many connections one after the other, and a user may
have more than ten connections.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench.ports import PROTOCOLS, choose_ports, wait_for_listener

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MODULES = Path("/usr/lib/dovecot/modules")

CANNOT_LISTEN = 89
"""The exit status of a Dovecot whose address is in use."""

ATTEMPTS = 5
"""How often a start is tried in that case."""

LISTENERS = {
    "imap": ("imap-login", ""),
    "imaps": ("imap-login", "ssl = yes"),
    "pop3": ("pop3-login", ""),
    "pop3s": ("pop3-login", "ssl = yes"),
    "lmtp": ("lmtp", "address = 127.0.0.1"),
}
"""For each protocol the service that listens, and settings of its listener."""


def missing() -> str | None:
    """Why no Dovecot can be started, or None if one can."""
    if PROGRAM is None:
        return "dovecot is not installed (Debian: dovecot-imapd)"
    if not Path("/usr/lib/dovecot/lmtp").exists():
        return "Dovecot's LMTP server is not installed (Debian: dovecot-lmtpd)"
    return None


def has_pop3() -> bool:
    """Whether this Dovecot speaks POP3 too (Debian: dovecot-pop3d)."""
    return Path("/usr/lib/dovecot/pop3").exists()


class Dovecot:
    """A running Dovecot, for use in a ``with``; *folder* must be on the file system to be measured.

    With *certificate* and its key (PEM files) it speaks TLS; without them it does not. *settings* are more lines for
    the end of its configuration.
    """

    name = kind = "Dovecot"

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        settings: str = "",
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self._key = key
        self.settings = settings
        self._users = users
        self._pop3 = has_pop3()
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = choose_ports(PROTOCOLS)

    def __enter__(self) -> Dovecot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts Dovecot; returns when it listens."""
        assert PROGRAM is not None
        for part in (self.folder, self.folder / "home", self.folder / "run", self.folder / "state"):
            part.mkdir(parents=True, exist_ok=True)
            part.chmod(0o755)
        uid, gid = self._mail_owner()
        os.chown(self.folder / "home", uid, gid)
        self._write_users()
        configuration = self.folder / "dovecot.conf"
        configuration.write_text(self._configuration())
        for attempts in reversed(range(ATTEMPTS)):
            self._process = subprocess.Popen([PROGRAM, "-F", "-c", str(configuration)])
            try:
                wait_for_listener(self._process, self.ports["imap"])
            except OSError:
                # a process of the last run may listen a moment after its master has ended
                if not attempts or self._process.poll() != CANNOT_LISTEN:
                    raise
                time.sleep(0.5)
            else:
                return

    def stop(self) -> None:
        """Stops Dovecot, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def restart(self, *, workers: int = 0) -> None:
        """Stops Dovecot if it runs, and starts it. *workers* has no effect: each connection gets a process."""
        self.stop()
        self.start()

    @property
    def mail_folder(self) -> str:
        """The folder with the mail of all accounts, and nothing else."""
        return str(self.folder / "home")

    @property
    def pid(self) -> int:
        """The master process; all others are its descendants."""
        assert self._process is not None
        return self._process.pid

    def address(self, protocol: str) -> tuple[str, int]:
        """Host and port for ``imap``, ``imaps``, ``pop3``, ``pop3s`` or ``lmtp``."""
        return "127.0.0.1", self.ports[protocol]

    @property
    def version(self) -> str:
        """The output of ``dovecot --version``."""
        assert PROGRAM is not None
        return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]

    def import_command(self, account: str, maildir: Path, mailbox: str) -> list[str]:
        """Imports *maildir* below *mailbox*."""
        configuration = str(self.folder / "dovecot.conf")
        return ["doveadm", "-c", configuration, "import", "-u", account, f"maildir:{maildir}", mailbox, "ALL"]

    def imported_mailbox(self, mailbox: str) -> str:
        """Where the messages of the Maildir itself are then."""
        return f"{mailbox}/INBOX"

    def backup_command(self, account: str, target: Path) -> list[str]:
        """Backs *account* up to the directory *target*, which does not exist, as an mdbox."""
        configuration = str(self.folder / "dovecot.conf")
        return ["doveadm", "-c", configuration, "backup", "-u", account, f"mdbox:{target}"]

    def messages_in_backup(self, account: str, target: Path) -> int:
        """How many messages of *account* the backup in *target* has."""
        configuration, location = str(self.folder / "dovecot.conf"), f"mail_location=mdbox:{target}"
        words = [
            "doveadm",
            "-c",
            configuration,
            "-o",
            location,
            "mailbox",
            "status",
            "-u",
            account,
            "-t",
            "messages",
            "*",
        ]
        status = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return int(status.rpartition("messages=")[2])

    def _mail_owner(self) -> tuple[int, int]:
        # Dovecot never reads mail as root.
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            return nobody.pw_uid, nobody.pw_gid
        return os.getuid(), os.getgid()

    def _write_users(self) -> None:
        uid, gid = self._mail_owner()
        users = self.folder / "users"
        users.write_text(
            "".join(
                f"{name}:{{PLAIN}}{password}:{uid}:{gid}::{self.folder}/home/{name}::\n"
                for name, password in self._users.items()
            )
        )
        users.chmod(0o644)

    def _configuration(self) -> str:
        protocols = "imap pop3 lmtp" if self._pop3 else "imap lmtp"
        tls = "ssl = no"
        if self.certificate is not None and self._key is not None:
            tls = f"ssl = yes\nssl_cert = <{self.certificate}\nssl_key = <{self._key}"
        return CONFIGURATION.format(
            folder=self.folder,
            hostname=socket.gethostname(),
            protocols=protocols,
            tls=tls,
            services=self._services(),
            settings=self.settings,
            unprivileged="" if os.getuid() == 0 else self._unprivileged(),
        )

    def _services(self) -> str:
        services: dict[str, list[str]] = {}
        for protocol, (service, extra) in LISTENERS.items():
            if service == "pop3-login" and not self._pop3:
                continue
            listener = f"  inet_listener {protocol} {{\n    port = {self.ports[protocol]}\n    {extra}\n  }}"
            services.setdefault(service, []).append(listener)
        blocks = []
        for service, listeners in services.items():
            keep = "  service_count = 0\n  process_min_avail = 1\n" if service.endswith("-login") else ""
            blocks.append("\n".join([f"service {service} {{", keep + "\n".join(listeners), "}"]))
        return "\n".join(blocks)

    def _unprivileged(self) -> str:
        me = pwd.getpwuid(os.getuid()).pw_name
        services = ["anvil", "imap-login", "stats"] + (["pop3-login"] if self._pop3 else [])
        chroots = "".join(f"service {service} {{\n  chroot =\n}}\n" for service in services)
        return f"default_internal_user = {me}\ndefault_internal_group =\ndefault_login_user = {me}\n{chroots}"


CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
hostname = {hostname}
listen = 127.0.0.1
protocols = {protocols}
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
first_valid_uid = 1
mail_location = sdbox:~/mail
mail_max_userip_connections = 1000
mail_plugins =
passdb {{
  driver = passwd-file
  args = username_format=%Ln {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%Ln {folder}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}
service auth {{
  client_limit = 5000
}}
service anvil {{
  client_limit = 5000
}}
service stats {{
  client_limit = 5000
}}
service imap {{
  service_count = 1000
  process_min_avail = 1
}}
{services}
{unprivileged}
{settings}
"""
