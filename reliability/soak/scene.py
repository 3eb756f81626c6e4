"""What the clients of a soak share: their pace, how their sessions ended, and how long commands took."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime

from reliability.clients.line import Cut, Farewell, Ports
from reliability.crash.scene import Scene
from reliability.journal.account import AccountJournal

NOTICED_SECONDS = 300.0
"""After so long every client has noticed that its worker was killed; its port may belong to another one."""

SAMPLES = 20_000
"""Of the durations of one command so many are kept, chosen at random."""


class Durations:
    """How long commands took: a sample of all."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self._sample: list[float] = []
        self._chance = random.Random(0)

    def add(self, seconds: float) -> None:
        """Adds one."""
        self.count += 1
        self.longest = max(self.longest, seconds)
        if len(self._sample) < SAMPLES:
            self._sample.append(seconds)
        elif (place := self._chance.randrange(self.count)) < SAMPLES:
            self._sample[place] = seconds

    def share(self, percent: int) -> float:
        """So many of a hundred took no longer."""
        return sorted(self._sample)[len(self._sample) * percent // 100] if self._sample else 0.0


class SoakScene(Scene):
    """The scene of a soak. Clients rest a moment before each operation."""

    def __init__(self, journals: dict[str, AccountJournal], pace: float) -> None:
        """*pace*: seconds between two operations of a client, on average."""
        super().__init__(journals)
        self.pace = pace
        self.passwords: dict[str, str] = {}
        """Of the accounts whose password changes; with ``changing_passwords``."""
        self.changing_passwords = threading.Lock()
        self.doomed: dict[Ports, float] = {}
        """The connections whose worker was killed, and when that was."""
        self.ends: Counter[str] = Counter()
        self.unexplained: list[str] = []
        """Sessions that ended without a farewell, although nobody killed their worker."""
        self.sessions = 0
        self.durations: dict[str, Durations] = {}
        self.lock = threading.Lock()
        self._is_called = threading.Event()
        """Set while no client should rest for its own sake."""
        self._chance = random.Random(0)

    @property
    def is_busy(self) -> bool:
        """Whether clients work: no pause was asked for, and the scene goes on."""
        return not self._is_called.is_set()

    def rest_if_asked(self) -> None:
        """As Scene.rest_if_asked, after a moment of rest."""
        self._is_called.wait(2 * self.pace * self._chance.random())
        super().rest_if_asked()

    def pause(self, clients: int) -> None:
        """As Scene.pause."""
        self._is_called.set()
        super().pause(clients)

    def go_on(self) -> None:
        """As Scene.go_on."""
        self._is_called.clear()
        super().go_on()

    def end(self) -> None:
        """As Scene.end."""
        super().end()
        self._is_called.set()

    def note_answer(self) -> None:
        """As Scene.note_answer, but wakes nobody."""
        with self.lock:
            self.answered += 1

    def note_session(self) -> None:
        """A client has logged in."""
        with self.lock:
            self.sessions += 1

    def note_duration(self, command: str, seconds: float) -> None:
        """A command was answered after so many seconds."""
        with self.lock:
            self.durations.setdefault(command, Durations()).add(seconds)

    def note_cut(self, cut: Cut, client: str) -> None:
        """A session of *client* has ended."""
        with self.lock:
            if isinstance(cut, Farewell):
                self.ends["with a farewell"] += 1
            elif cut.ports is None or not cut.was_greeted:
                self.ends["before the greeting"] += 1
            elif self.doomed.pop(cut.ports, 0.0) > time.monotonic() - NOTICED_SECONDS:
                self.ends["of a killed worker"] += 1
            else:
                self.unexplained.append(f"{client}, port {cut.ports[1]}, at {datetime.now(UTC):%H:%M:%S.%f}")
