"""The clients of a soak."""

from __future__ import annotations

import time
from functools import partial

from reliability.clients.imap import Answer, Imap
from reliability.clients.line import Cut
from reliability.crash.load import PASSWORD, RETRY_SECONDS, Carrier, Client, Reader
from reliability.soak.scene import SoakScene

LONGEST_IDLE_SECONDS = 20.0
MOST_COMMANDS = 200
"""After about so many operations a client ends its session and begins another one."""


class TimedImap(Imap):
    """Tells the scene how long each command took."""

    def __init__(self, scene: SoakScene, port: int, name: str, password: str) -> None:
        self._scene = scene
        began = time.perf_counter()
        super().__init__(port, name, password)
        scene.note_session()
        scene.note_duration("login", time.perf_counter() - began)

    def run(self, *pieces: bytes) -> Answer:
        """As Imap.run."""
        began = time.perf_counter()
        answer = super().run(*pieces)
        words = pieces[0].split(b" ", 2)
        self._scene.note_duration(words[words[0] == b"UID"].decode(), time.perf_counter() - began)
        return answer


class Ended(Cut):
    """The client itself ended its session."""


class SoakClient(Client):
    """What all clients of a soak do."""

    scene: SoakScene

    def was_cut(self, cut: Cut) -> None:
        """As Client.was_cut; notes how the session ended."""
        if not isinstance(cut, Ended):
            self.scene.note_cut(cut, self.name)
        time.sleep(RETRY_SECONDS)

    def imap(self, name: str) -> Imap:
        """As Client.imap."""
        return TimedImap(self.scene, self.port("imap"), name, self.scene.passwords.get(name, PASSWORD))


class SoakCarrier(SoakClient, Carrier):
    """Delivers mail."""


class SoakReader(SoakClient, Reader):
    """Changes mail. Leaves sometimes, so that sessions end as most do: by the client."""

    def select(self, imap: Imap) -> None:
        """As Reader.select."""
        if self.view is not None and self.is_connected and self.chance.random() < 7 / MOST_COMMANDS:
            raise Ended
        super().select(imap)


class Idler(SoakReader):
    """Waits for changes in IDLE, in one mailbox after the other."""

    def work(self) -> None:
        imap = self.imap(self.journal.name)
        self.is_connected = True
        try:
            self.select(imap)
            while not self.scene.is_over:
                self.scene.rest_if_asked()
                ends = time.monotonic() + self.chance.random() * LONGEST_IDLE_SECONDS
                self.note(imap.idle(partial(self._is_enough, ends)))
                self.look(imap)
                if self.chance.random() < 0.2:
                    self.select(imap)
        finally:
            self.is_connected = False
            imap.close()

    def _is_enough(self, ends: float) -> bool:
        return not self.scene.is_busy or time.monotonic() > ends


class Sitter(SoakClient):
    """Waits in IDLE until its password was changed, and logs in with the new one."""

    def __init__(self, scene: SoakScene, account: str, name: str, seed: str) -> None:
        super().__init__(scene, name, seed)
        self._account = account

    def work(self) -> None:
        """Waits until the server ends the session."""
        with self.scene.changing_passwords:
            password = self.scene.passwords[self._account]
        try:
            imap = TimedImap(self.scene, self.port("imap"), self._account, password)
        except AssertionError:
            with self.scene.changing_passwords:
                if password == self.scene.passwords[self._account]:
                    raise
            return
        try:
            imap.must(b"SELECT INBOX")
            while not self.scene.is_over:
                self.scene.rest_if_asked()
                imap.idle(lambda: not self.scene.is_busy)
        finally:
            imap.close()
