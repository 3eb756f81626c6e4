"""Attacks before login: storms of logins, guesses of passwords, and connections that never log in."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import threading
import time

from bench.hostile.attack import OTHER, PASSWORD, Attack, Stage, Who
from bench.hostile.client import HostileClient, Overtime
from mektup import Server

ATTACKERS, ELSEWHERE = "127.0.0.66", "127.0.0.77"
"""Two addresses of this machine; each stands for a network."""


class Storm:
    """Connections that try to log in, each time under a new name, until the ``with`` ends."""

    def __init__(self, stage: Stage, crowd: int) -> None:
        self.refused: list[float] = []
        """When each guess was answered."""
        self._stage = stage
        self._names = itertools.count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._guess) for _ in range(crowd)]

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._stage.hang_up()
        for thread in self._threads:
            thread.join()

    def _guess(self) -> None:
        while not self._over.is_set():
            try:
                client = self._stage.connect(source=ATTACKERS)
                for _ in range(3):
                    client.ask(b"LOGIN user%d wrong" % next(self._names))
                    self.refused.append(time.monotonic())
                client.close()
            except OSError:
                continue  # refused, or closed
            except Overtime:
                return


def _logins(stage: Stage) -> str:
    """95 connections try new names, while a user logs in for the first time from another network."""
    with Storm(stage, 95):
        stage.rest(1)
        client = stage.connect(source=ELSEWHERE)
        begun = time.monotonic()
        client.log_in(OTHER, PASSWORD)
        seconds = time.monotonic() - begun
    words = f"another's first login {seconds:.1f} s"
    return words if seconds < 5 else f"failed: {words}"


def _names(stage: Stage) -> str:
    seconds = 2.0 if stage.is_short else 10.0
    with Storm(stage, 20) as storm:
        stage.rest(seconds)
        refused = tuple(storm.refused)
    half = [moment for moment in refused if moment > refused[0] + seconds / 2]
    return f"{len(refused) / seconds:.1f} guesses a second, {2 * len(half) / seconds:.1f} in the second half"


IMPORTED = {
    "sha512": "{SHA512-CRYPT}$6$abc$" + "a" * 86,
    "bcrypt": "{BLF-CRYPT}$2b$10$" + "a" * 53,
}


def _import(stage: Stage) -> None:
    async def add() -> None:
        async with Server(stage.server.data, listen={}) as server:
            for name, secret in IMPORTED.items():
                await server.store.directory.add(name, {"password": secret})

    asyncio.run(add())


def _who_is_there(stage: Stage) -> str:
    names = ("nobody", OTHER, *IMPORTED)
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(2 if stage.is_short else 4):
        for name in names:
            client = stage.connect(source=ELSEWHERE)
            begun = time.monotonic()
            client.ask(f"LOGIN {name} wrong".encode())
            times[name].append(time.monotonic() - begun)
            client.close()
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    words = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in medians.items())
    return words if min(medians.values()) > 0.5 * max(medians.values()) else f"failed: {words}"


def _fill(stage: Stage) -> str:
    """Connections from one address that never log in; then a mail is delivered, and a user logs in from another one."""
    clients: list[HostileClient] = []
    for _ in range(300 if stage.is_short else 3000):
        clients.append(stage.connect(source=ATTACKERS))
        # a command that keeps the session alive for as long as possible, and unread input
        with contextlib.suppress(OSError):
            clients[-1].send(b"a AUTHENTICATE PLAIN\r\n" + b"x" * 4000)
    answer = stage.deliver(b"Subject: x\r\n\r\n", OTHER)
    stage.connect(source=ELSEWHERE).log_in(OTHER, PASSWORD)
    return f"mail {answer[:3].decode()}, another's login OK"


ROWS = (
    Attack(
        key="logins",
        who=Who.STRANGER,
        what="LOGIN from 95 connections of one address, ever new names",
        before="another's first login 38 to 56 s",
        run=_logins,
        # two passwords are hashed at a time, 64 MiB each, and the arenas of the threads take as much again
        growth_mb=300.0,
    ),
    Attack(
        key="names",
        who=Who.STRANGER,
        what="guesses for many names from one address",
        before="never wait",
        run=_names,
        growth_mb=300.0,
    ),
    Attack(
        key="who-is-there",
        who=Who.STRANGER,
        what="the time of a wrong password, by the account's hash",
        before="193 ms unknown, 3 ms SHA512, 55 ms bcrypt",
        prepare=_import,
        run=_who_is_there,
        growth_mb=300.0,
        # a median of two logins is too noisy on a busy machine
        is_in_short=False,
    ),
    Attack(
        key="connections",
        who=Who.STRANGER,
        what="3,000 connections of one address that never log in",
        before="20,000 of a /64, then LMTP is refused too",
        run=_fill,
        growth_mb=100.0,
    ),
)
