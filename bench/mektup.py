"""Runs ``mektup serve`` as a child process with its own data directory."""

from __future__ import annotations

import importlib.metadata
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.ports import PROTOCOLS, choose_ports, wait_for_listener

PROGRAM = Path(sys.executable).with_name("mektup")

BEFORE = "before"
"""The name of another checkout's mektup, which this one is measured against."""


class Mektup:
    """A running mektup, for use in a ``with``; data, configuration and log are in *folder*.

    At the end it gets SIGTERM, and must then end with exit status 0.
    """

    kind = "mektup"

    def __init__(self, folder: Path, *, workers: int, settings: str = "", checkout: Path | None = None) -> None:
        """*settings* are more lines for the top of the configuration file; they may end with tables.

        *checkout*: another tree of mektup, where `make` has made `.venv`; its program runs instead of this one.
        """
        self.name = self.kind if checkout is None else BEFORE
        self._checkout = checkout
        self._program = PROGRAM if checkout is None else checkout / ".venv" / "bin" / "mektup"
        self.ports = choose_ports(PROTOCOLS)
        self.data = folder / "data"
        self.log = folder / "log"
        self.configuration = folder / "mektup.toml"
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._configure(workers)
        self._process: subprocess.Popen[bytes] | None = None

    def _configure(self, workers: int) -> None:
        listen = "".join(f'{protocol} = ["127.0.0.1:{port}"]\n' for protocol, port in self.ports.items())
        top = f'data = "{self.data}"\nworkers = {workers}\n{self._settings}\n'
        self.configuration.write_text(f"{top}[listen]\n{listen}")

    def __enter__(self) -> Mektup:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts mektup; returns when it listens."""
        with self.log.open("ab") as log:
            command = [str(self._program), "serve", "--config", str(self.configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for port in self.ports.values():
                wait_for_listener(self._process, port)
        except OSError:
            # nobody would end it: a context that was not entered is not left
            self._process.kill()
            self._process.wait()
            self._process = None
            raise

    def stop(self) -> None:
        """Stops mektup, if it runs. Raises OSError if the exit status is not 0."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=30)
        self._process = None
        if status != 0:
            raise OSError(f"mektup ended with status {status}: {self.log.read_text(errors='replace')}")

    def restart(self, *, workers: int) -> None:
        """Stops mektup if it runs, and starts it with *workers* workers."""
        self.stop()
        self._configure(workers)
        self.start()

    @property
    def mail_folder(self) -> str:
        """The folder with the mail of all accounts, and nothing else."""
        return str(self.data / "accounts")

    @property
    def pid(self) -> int:
        """The parent process; the workers are its descendants."""
        assert self._process is not None
        return self._process.pid

    @property
    def certificate(self) -> Path:
        """The self-signed certificate that mektup made."""
        return self.data / "tls" / "self-signed.crt"

    @property
    def version(self) -> str:
        """The version of the installed package; for another checkout, its commit."""
        if self._checkout is None:
            return importlib.metadata.version("mektup")
        command = ["git", "-C", str(self._checkout), "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def import_command(self, account: str, maildir: Path, mailbox: str) -> list[str]:
        """Imports *maildir* into *mailbox*."""
        words = "import", account, str(maildir), "--into", mailbox, "--config", str(self.configuration)
        return [str(self._program), *words]

    def imported_mailbox(self, mailbox: str) -> str:
        """Where the messages of the Maildir itself are then."""
        return mailbox

    def backup_command(self, account: str, target: Path) -> list[str]:
        """Backs *account* up to the directory *target*, which does not exist."""
        words = "backup", "create", str(target), "--account", account, "--config", str(self.configuration)
        return [str(self._program), *words]

    def messages_in_backup(self, account: str, target: Path) -> int:
        """How many messages of *account* the backup in *target* has."""
        command = [str(self._program), "backup", "list", str(target), "--account", account, "--json"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return sum(each["messages"] for each in json.loads(listed)["accounts"])

    def add_user(self, name: str, password: str) -> None:
        """Adds an account with the command line, while the server runs; it can log in at once."""
        self._manage("add", name, "--password-stdin", given=f"{password}\n")

    def limit_storage(self, name: str, size: str) -> None:
        """Sets the quota of an account, such as ``10M``."""
        self._manage("quota", name, "--storage", size)

    def add_users(self, names: Iterable[str], password: str) -> None:
        """Adds accounts that all have the same password, in one call of the command line."""
        listed = self.configuration.with_name("users")
        listed.write_text("".join(f"{name}:{{PLAIN}}{password}\n" for name in names))
        self._manage("import", str(listed))

    def _manage(self, *words: str, given: str = "") -> None:
        command = [str(self._program), "user", *words, "--config", str(self.configuration)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise OSError(f"{' '.join(command)}: {done.stdout}{done.stderr}")

    def kill(self) -> None:
        """Kills mektup, if it runs; for a server that may be too busy to stop soon."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
