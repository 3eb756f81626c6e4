"""What happens to the server of a soak while clients work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mektup.server import self_signed
from reliability.crash.servers import RunningServer
from reliability.own_address import HOST
from reliability.soak.gauge import clients_of
from reliability.soak.scene import SoakScene

SILENCE_SECONDS = 15.0
"""The worker_silence_seconds of the server."""

KILLS, HANGS = "kills of a worker", "hangs of a worker"

PATIENCE_SECONDS = 60.0
"""The longest wait for what the server must do by itself."""


class Lapse(AssertionError):
    """The server did not do what it must."""


class Troubles:
    """Kills, hangs, reloads, renewals and changes of passwords, one at a time."""

    def __init__(self, directory: Path, config: Path, server: RunningServer, scene: SoakScene, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._directory = directory
        self._config = config
        self._server = server
        self._scene = scene
        self._chance = random.Random(f"troubles {seed}")
        self._number = 0
        self.history: list[str] = []
        """What was done, and when."""
        self.steady: int | None = None
        """A worker that is spared from now on, so that its memory can be watched."""

    @property
    def ports(self) -> frozenset[int]:
        """The ports of the server."""
        return frozenset(self._server.ports.values())

    def _victim(self) -> int:
        workers = [pid for pid in self._until_two_workers() if pid != self.steady]
        return self._chance.choice(workers)

    def _until_two_workers(self) -> list[int]:
        ends = time.monotonic() + PATIENCE_SECONDS
        while len(workers := self._server.workers()) < 2:
            if time.monotonic() > ends:
                raise Lapse(f"there are {len(workers)} workers, and no new one is started")
            time.sleep(0.1)
        return workers

    def kill(self) -> None:
        """Kills a worker."""
        self._stop_and_note(pid := self._victim())
        os.kill(pid, signal.SIGKILL)
        self._until_replaced(pid)
        self.counts[KILLS] += 1

    def hang(self) -> None:
        """Stops a worker without killing it; its parent must notice, kill and replace it."""
        self._stop_and_note(pid := self._victim())
        self._until_replaced(pid)
        self.counts[HANGS] += 1

    def _stop_and_note(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        ends = time.monotonic() + PATIENCE_SECONDS
        while _state(pid) not in "TtZX" and time.monotonic() < ends:
            time.sleep(0.001)
        ports = clients_of(pid, self.ports)
        self.history.append(f"{datetime.now(UTC):%H:%M:%S.%f} stopped {pid}, which has {len(ports)} clients")
        with self._scene.lock:
            self._scene.doomed.update(dict.fromkeys(ports, time.monotonic()))

    def _until_replaced(self, pid: int) -> None:
        ends = time.monotonic() + PATIENCE_SECONDS
        while pid in self._server.workers():
            if time.monotonic() > ends:
                os.kill(pid, signal.SIGKILL)
                raise Lapse("a hanging worker was not replaced")
            time.sleep(0.05)
        self._until_two_workers()

    def reload(self) -> None:
        """Lets the server read its configuration again, which now has another limit."""
        self._number += 1
        text = self._config.read_text(encoding="ascii")
        kept = [line for line in text.splitlines() if not line.startswith("bad_commands")]
        place = kept.index("[limits]") + 1
        self._config.write_text("\n".join([*kept[:place], f"bad_commands = {100 + self._number}", *kept[place:], ""]))
        self._ask_to_reload()
        self.counts["reloads"] += 1

    def _ask_to_reload(self) -> None:
        os.kill(self._server.pid, signal.SIGHUP)

    def renew_certificate(self) -> None:
        """Puts a new certificate in place; new connections must soon get it, from both workers."""
        wanted = renew_certificate(self._directory)
        self._ask_to_reload()
        ends, in_a_row = time.monotonic() + PATIENCE_SECONDS, 0
        while in_a_row < 8:
            with suppress(OSError):
                in_a_row = in_a_row + 1 if self._certificate() == wanted else 0
            if time.monotonic() > ends:
                raise Lapse("a new certificate is not used")
            time.sleep(0.05)
        self.counts["certificate renewals"] += 1

    def _certificate(self) -> bytes | None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        where = HOST, self._server.ports["imaps"]
        with socket.create_connection(where, timeout=5) as made, context.wrap_socket(made) as secure:
            return secure.getpeercert(binary_form=True)

    def change_password(self) -> None:
        """Changes the password of an account: its sessions must end with a farewell."""
        name = self._chance.choice(sorted(self._scene.passwords))
        self._number += 1
        password = f"changed {self._number}"
        before = self._scene.ends["with a farewell"]
        command = [sys.executable, "-m", "mektup", "user", "passwd", name, "--password-stdin"]
        with self._scene.changing_passwords:
            self._scene.passwords[name] = password
            subprocess.run(
                [*command, "--config", str(self._config)],
                input=f"{password}\n".encode(),
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=PATIENCE_SECONDS,
            )
        ends = time.monotonic() + PATIENCE_SECONDS
        while self._scene.ends["with a farewell"] == before:
            if time.monotonic() > ends:
                raise Lapse(f"the sessions of {name} go on after a change of the password")
            time.sleep(0.05)
        self.counts["changed passwords"] += 1

    def some(self) -> None:
        """One of all, by chance."""
        chosen = self._chance.choices(
            (self.reload, self.kill, self.hang, self.renew_certificate, self.change_password), (6, 4, 1, 3, 3)
        )
        self.history.append(f"{datetime.now(UTC):%H:%M:%S.%f} {chosen[0].__name__}")
        chosen[0]()


def renew_certificate(directory: Path) -> bytes:
    """Makes a new pair in *directory*, and puts it in the place of the one before; returns the certificate."""
    fresh = directory / "fresh"
    pair = self_signed.pair_under(fresh, "soak.example.org")
    certificate = pair.cert.read_text(encoding="ascii")
    both = certificate.encode() + pair.key.read_bytes()
    shutil.rmtree(fresh)
    (directory / "new.pem").write_bytes(both)
    os.replace(directory / "new.pem", directory / "cert.pem")
    return ssl.PEM_cert_to_DER_cert(certificate)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][0]
    except OSError:
        return "X"
