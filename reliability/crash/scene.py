"""What the clients share with the program that kills their servers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from reliability.clients.line import Cut
from reliability.crash.mail import Post
from reliability.journal.account import AccountJournal

SECONDS = 60.0
"""Longer than anything takes, also on a busy machine."""


class Scene:
    """The running servers, the journals, and the sign to pause."""

    def __init__(self, journals: dict[str, AccountJournal]) -> None:
        self.journals = journals
        self.post = Post()
        self.changed = threading.Condition()
        self.answered = 0
        self.failure: BaseException | None = None
        self.is_over = False
        self._is_paused = True
        self._resting = 0
        self._ports: list[dict[str, int]] = []

    def serve(self, ports: list[dict[str, int]]) -> None:
        """Says where servers listen: by service, for each."""
        with self.changed:
            self._ports = ports
            self.changed.notify_all()

    def port(self, service: str, choose: Callable[[int], int]) -> int:
        """The port of a running server. Raises Cut."""
        with self.changed:
            if not self._ports:
                raise Cut
            return self._ports[choose(len(self._ports))][service]

    def note_answer(self) -> None:
        """A change was acknowledged."""
        with self.changed:
            self.answered += 1
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """A client saw an error."""
        with self.changed:
            self.failure = self.failure or error
            self.changed.notify_all()

    # Pauses

    def rest_if_asked(self) -> None:
        """Called by each client between two operations; returns when it may go on."""
        with self.changed:
            if not self._is_paused:
                return
            self._resting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self._is_paused)
            self._resting -= 1

    def pause(self, clients: int) -> None:
        """Waits until all *clients* rest. Raises the error of a client."""
        with self.changed:
            self._is_paused = True
            came = self.changed.wait_for(lambda: self._resting == clients or self.failure is not None, SECONDS)
            self.raise_failure()
            assert came, "a client does not come to rest"

    def go_on(self) -> None:
        """Ends the pause."""
        with self.changed:
            self._is_paused = False
            self.changed.notify_all()

    def wait_for_answers(self, count: int, seconds: float) -> None:
        """Returns when *count* more changes were acknowledged, or after *seconds*. Raises the error of a client."""
        with self.changed:
            goal = self.answered + count
            self.changed.wait_for(lambda: self.answered >= goal or self.failure is not None, seconds)
            self.raise_failure()

    def raise_failure(self) -> None:
        """Raises the error of a client, if there is one."""
        if self.failure is not None:
            raise self.failure

    def end(self) -> None:
        """Lets all clients end."""
        with self.changed:
            self.is_over = True
            self._is_paused = False
            self.changed.notify_all()
