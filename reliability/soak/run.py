"""A soak: rounds of load with troubles, and after each round everything is compared and measured."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mektup import Server
from mektup.server import accounts
from mektup.store.open_files import FEW_AT_REST
from mektup.store.sqlite.file.settings import USUAL_WAL_BYTES
from reliability.clients.imap import Imap
from reliability.clients.line import Cut
from reliability.crash.files import check_faults
from reliability.crash.load import PASSWORD, Client, Reader
from reliability.crash.look import Look
from reliability.crash.servers import RunningServer
from reliability.journal.account import AccountJournal
from reliability.journal.compare import adopt, compare
from reliability.own_address import HOST
from reliability.soak import metrics
from reliability.soak.clients import Idler, Sitter, SoakCarrier, SoakReader
from reliability.soak.gauge import Sample, octets_of, size_of, slope
from reliability.soak.scene import SoakScene
from reliability.soak.troubles import HANGS, KILLS, SILENCE_SECONDS, Troubles, renew_certificate

WORKERS = 2
CLIENTS_OF_ACCOUNT = 4
ROUND_SECONDS = 30.0
TROUBLE_SECONDS = 8.0
"""Between two troubles, on average."""
WARM_UP = 0.5
"""The part of the time after which memory must not grow: mailboxes and what is remembered of them grow before."""
QUARTERS = (0.25, 0.5, 0.75, 1.0)
KEPT_SECONDS = 20
"""For so long expunged messages are kept."""
SHORTEST_FOR_SLOPE = 15 * 60.0
"""In a shorter run the growth of memory is printed, but no fault: it is mostly that of caches."""
MOST_GROWTH = 16e6
"""Octets an hour that a process may grow by after the warm-up."""
MORE_FILES = 10 * FEW_AT_REST * WORKERS
"""So many more descriptors than at the beginning may be open at the end: those of a few accounts that stay open."""
SHRINK_SECONDS = 120.0
GONE_SECONDS = 30.0
"""The longest time until the server has noticed that its clients have gone."""
LARGEST_EMPTY = 1536 * 1024
"""What the file of an account without mail may take: a file keeps a megabyte of free pages for new mail."""
MORE_LOGS = FEW_AT_REST * WORKERS
"""So many files of accounts stay open without a client; each has a log, which disappears when the file is closed."""
ERRORS_BY_TROUBLES = ("worker_hangs", "worker_failed", "worker_stopped", "worker_gone", "worker_ended")
"""Events that the log must have when workers are killed and stopped."""

CONFIG = """
data = "{data}"
workers = 2
[limits]
worker_silence_seconds = {silence}
expunged_seconds = {kept}
connections_per_address_before_login = 1000
[log]
format = "json"
[lmtp]
trace = false
[tls]
cert = "{directory}/cert.pem"
[listen]
imap = ["{host}:0"]
imaps = ["{host}:0"]
pop3 = ["{host}:0"]
lmtp = ["{host}:0"]
metrics = ["{host}:0"]
"""


@dataclass(slots=True)
class Figures:
    """What a soak has measured."""

    samples: list[Sample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    comparisons: int = 0
    octets_before: int = 0
    octets_after: int = 0
    files_before: int = 0
    files_after: int = 0
    growth: dict[str, float] = field(default_factory=dict)
    """Octets an hour after the warm-up, by process."""
    quarters: dict[str, list[int]] = field(default_factory=dict)
    """Resident octets at the end of each quarter of the time, by process; 0 before it ran."""
    load_seconds: float = 0.0
    worker_ends: list[str] = field(default_factory=list)
    """Lines of the log about workers that ended."""


class Soak:
    """A soak in a directory of its own."""

    def __init__(self, directory: Path, *, clients: int, seed: int, seconds: float, pace: float) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.config = directory / "mektup.toml"
        self.figures = Figures()
        self._seconds = seconds
        self._chance = random.Random(f"soak {seed}")
        helpers = max(2, clients // 20)
        users = clients - 2 * helpers
        names = [f"user{number}" for number in range(max(1, users // CLIENTS_OF_ACCOUNT))]
        self.scene = SoakScene({name: AccountJournal(name) for name in names}, pace)
        self.scene.passwords = {f"sitter{number}": PASSWORD for number in range(max(1, helpers // 2))}
        self.look = Look(self.scene.post, random.Random(f"look {seed}"))
        self.readers: list[Reader] = []
        for number in range(users):
            name = names[number % len(names)]
            kind = Idler if number // len(names) % 3 == 2 else SoakReader
            journal = self.scene.journals[name]
            self.readers.append(kind(self.scene, journal, f"{name}c{number}", str(seed), is_alone=False))
        self._clients: list[Client] = [*self.readers]
        self._clients += [SoakCarrier(self.scene, f"carrier{number}", str(seed)) for number in range(helpers)]
        sitting = sorted(self.scene.passwords)
        self._clients += [
            Sitter(self.scene, sitting[number % len(sitting)], f"sitter{number}", str(seed))
            for number in range(helpers)
        ]
        self.seed = seed
        self.troubles: Troubles | None = None
        self.server: RunningServer | None = None
        self._began = 0.0

    def run(self) -> None:
        """Runs for the time that was given, and checks everything at the end. Faults are in the figures."""
        asyncio.run(_add_accounts(self.data, [*self.scene.journals, *self.scene.passwords]))
        renew_certificate(self.directory)
        text = CONFIG.format(
            data=self.data, directory=self.directory, silence=SILENCE_SECONDS, host=HOST, kept=KEPT_SECONDS
        )
        self.config.write_text(text, encoding="ascii")
        self.server = server = RunningServer(self.config, None, self.directory / "server.log")
        try:
            self._begin(server)
            while time.monotonic() - self._began < self._seconds and not self.figures.faults:
                self._play_round()
            self._end(server)
            server.stop()
            self._note(check_faults(self.data))
        except (AssertionError, Cut) as error:
            self._note([f"{type(error).__name__}: {error}"])
        finally:
            self.scene.end()
            if not server.is_gone:
                server.kill_all()

    def _note(self, faults: Iterable[str]) -> None:
        self.figures.faults += faults

    def _begin(self, server: RunningServer) -> None:
        self.scene.serve([server.ports])
        self.figures.files_before = self._sample().files
        self.figures.samples.clear()
        self.troubles = Troubles(self.directory, self.config, server, self.scene, self.seed)
        for name, journal in self.scene.journals.items():
            imap = self._imap(name)
            adopt(journal, self.look.account(imap, journal, is_full=True))
            imap.close()
        for client in self._clients:
            client.start()
        self._began = time.monotonic()

    def _play_round(self) -> None:
        assert self.troubles is not None
        began = time.monotonic()
        ends = min(began + ROUND_SECONDS, self._began + self._seconds)
        self.scene.go_on()
        while (left := ends - time.monotonic()) > 0:
            rest = min(left, 2 * TROUBLE_SECONDS * self._chance.random())
            self.scene.wait_for_answers(1 << 60, rest)
            if rest < left:
                self.troubles.some()
        if self.troubles.steady is None and ends - self._began >= WARM_UP * self._seconds:
            self.troubles.steady = min(self._workers())
        self.figures.load_seconds += time.monotonic() - began
        self.scene.pause(len(self._clients))
        self._sample()
        self._compare(is_full=False)

    def _workers(self) -> list[int]:
        assert self.server is not None
        return self.server.workers()

    def _sample(self) -> Sample:
        assert self.server is not None
        sizes = {}
        for pid in (self.server.pid, *self._workers()):
            try:
                sizes[pid] = size_of(pid)
            except OSError:
                continue
        sample = Sample(time.monotonic() - self._began, sizes)
        self.figures.samples.append(sample)
        return sample

    def _imap(self, account: str) -> Imap:
        ends = time.monotonic() + 60
        while True:
            try:
                return Imap(self.scene.port("imap", self._chance.randrange), account, PASSWORD)
            except Cut:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)

    def _compare(self, *, is_full: bool) -> None:
        """Compares every mailbox that was touched with its journal; with *is_full* all, with all octets."""
        assert self.server is not None
        for name, journal in self.scene.journals.items():
            imap = self._imap(name)
            seen = self.look.account(imap, journal, is_full=is_full)
            self._note(compare(journal, seen))
            self._note(self.look.search_faults(imap, journal, seen))
            for reader in self.readers:
                if reader.journal is journal and reader.view is not None and not reader.is_connected:
                    self._note(self.look.resync_faults(imap, name, reader.view, seen))
            imap.close()
            self.figures.comparisons += 1
        self._note(f"a session ended without a farewell: {each}" for each in self.scene.unexplained)
        self.scene.unexplained.clear()
        for line in self.server.errors:
            if any(word in line for word in ERRORS_BY_TROUBLES):
                self.figures.worker_ends.append(line)
            else:
                self._note([line])
        self.server.errors.clear()

    # The end

    def _end(self, server: RunningServer) -> None:
        self.scene.end()
        for client in self._clients:
            client.join(60)
        self._note(f"{client.name} does not end" for client in self._clients if client.is_alive())
        self.scene.raise_failure()
        self._note(self._counted_faults(server))
        self._compare(is_full=True)
        self._judge_memory()
        self._empty()

    def _counted_faults(self, server: RunningServer) -> Iterator[str]:
        """What the server's own counters say, now that all clients have ended."""
        assert self.troubles is not None
        ends = time.monotonic() + GONE_SECONDS
        while (counted := metrics.read(server.ports["metrics"]))["mektup_sessions"] and time.monotonic() < ends:
            time.sleep(0.2)
        hangs, kills = self.troubles.counts[HANGS], self.troubles.counts[KILLS]
        expected = {
            "mektup_sessions": 0,
            "mektup_bugs_total": 0,
            "mektup_uncertain_changes_total": 0,
            "mektup_worker_hangs_total": hangs,
            "mektup_worker_restarts_total": hangs + kills,
        }
        for name, number in expected.items():
            if counted[name] != number:
                yield f"{name} is {counted[name]:.0f}, not {number}"

    def _judge_memory(self) -> None:
        """Computes the growth of the processes that ran from the warm-up to the end.

        By resident memory: what a worker shares with its parent counts from the beginning, and is no growth when it
        becomes the worker's own.
        """
        assert self.server is not None
        assert self.troubles is not None
        late = [each for each in self.figures.samples if each.seconds >= WARM_UP * self._seconds]
        watched = {"the parent": self.server.pid, "a worker": self.troubles.steady}
        for name, pid in watched.items():
            points = [(each.seconds, float(each.sizes[pid].rss)) for each in late if pid in each.sizes]
            self.figures.growth[name] = grown = slope(points)
            self.figures.quarters[name] = [self._resident(pid, part * self._seconds) for part in QUARTERS]
            if self._seconds >= SHORTEST_FOR_SLOPE and grown > MOST_GROWTH:
                self._note([f"{name} grew by {grown / 1e6:.1f} MB an hour"])

    def _resident(self, pid: int | None, seconds: float) -> int:
        """The resident memory of a process at the sample nearest to *seconds*."""
        nearest = min(self.figures.samples, key=lambda each: abs(each.seconds - seconds))
        return nearest.sizes[pid].rss if pid in nearest.sizes else 0

    def _empty(self) -> None:
        """Expunges everything, and waits until nothing of it is kept, and the files have shrunk and are closed."""
        figures = self.figures
        figures.octets_before = octets_of(self.data / "accounts")
        for name, journal in self.scene.journals.items():
            imap = self._imap(name)
            for mailbox in sorted(self.look.account(imap, journal, is_full=False).mailboxes):
                imap.must(b'SELECT "%b"' % mailbox.encode())
                imap.run(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
                imap.must(b"EXPUNGE")
            imap.close()
        time.sleep(KEPT_SECONDS + 1)
        for name in self.scene.journals:
            self._imap(name).close()  # what is kept no longer is removed when an account is opened
        accounts = len(self.scene.journals) + len(self.scene.passwords)
        most = LARGEST_EMPTY * accounts + MORE_LOGS * USUAL_WAL_BYTES
        most_files = figures.files_before + MORE_FILES
        ends = time.monotonic() + SHRINK_SECONDS
        while True:
            figures.octets_after = octets_of(self.data / "accounts")
            figures.files_after = self._sample().files
            is_small, is_closed = figures.octets_after <= most, figures.files_after <= most_files
            if (is_small and is_closed) or time.monotonic() > ends:
                break
            time.sleep(0.5)
        if not is_small:
            self._note([f"the files take {figures.octets_after / 1e6:.1f} MB, although all mail was expunged"])
        if not is_closed:
            before, after = figures.files_before, figures.files_after
            self._note([f"{after} descriptors are open without a client, and {before} were at the beginning"])


async def _add_accounts(data: Path, names: list[str]) -> None:
    async with Server(data, listen={}) as server:
        for name in names:
            await accounts.set_password(server.store, name, PASSWORD, passing=True)
