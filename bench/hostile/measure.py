"""Measures one attack: how long a bystander waited, and how much the server's memory grew."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from bench.hostile.attack import (
    ATTACK_SECONDS,
    ATTACKER,
    BYSTANDER,
    OTHER,
    PASSWORD,
    PREPARE_SECONDS,
    Attack,
    Overtime,
    Stage,
)
from bench.hostile.bystander import Bystander, Waits
from bench.processes import ProcessTree

SAMPLE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attack."""

    attack: Attack
    waits: Waits
    growth: float
    """The highest growth of the server's memory, in MB."""
    cpu: float
    """Processor seconds that the server used."""
    got: str

    def broken(self, factor: float) -> list[str]:
        """The bounds that did not hold, each made *factor* times wider for a noisy machine."""
        found = []
        wait = self.waits.net_p99 if self.attack.is_crowd else self.waits.net
        if wait * 1000 > self.attack.stall_ms * factor:
            found.append(f"a NOOP waited {wait * 1000:.0f} ms ({self.attack.stall_ms:.0f} are allowed)")
        if self.growth > self.attack.growth_mb * min(factor, 1.5):
            found.append(f"the server grew by {self.growth:.0f} MB ({self.attack.growth_mb:.0f} are allowed)")
        if self.got.startswith("failed"):
            found.append(self.got)
        return found


class _Growth:
    """Watches the server's memory until it is stopped."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._first = self._most = tree.private_memory()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._most = max(self._most, self._tree.private_memory())

    def stop(self) -> float:
        """Stops; returns the highest growth since the beginning, in MB."""
        self._ended.set()
        self._thread.join()
        return (self._most - self._first) / 1e6


def measured(attack: Attack, stage: Stage) -> Outcome:
    """Runs *attack* against a server that was just started."""
    stage.deadline = time.monotonic() + PREPARE_SECONDS
    if attack.prepare is not None:
        try:
            attack.prepare(stage)
        finally:
            stage.hang_up()
        stage.server.restart(workers=1)
    tree = ProcessTree(stage.server.pid)
    bystander = Bystander(stage.server.ports["imap"], BYSTANDER, PASSWORD, stage.server.pid)
    try:
        stage.deadline = time.monotonic() + PREPARE_SECONDS
        # to hash a password takes 64 MB; after the first login the password is remembered
        for name in (ATTACKER, OTHER):
            stage.imap(name)
        stage.hang_up()
        growth, cpu = _Growth(tree), tree.cpu()
        stage.deadline = time.monotonic() + ATTACK_SECONDS
        got = _run(attack, stage)
        cpu = tree.cpu() - cpu
        grown = growth.stop()
        return Outcome(attack, bystander.waits(), grown, cpu, got)
    finally:
        bystander.end()
        stage.hang_up()
        # commands in progress need not be finished
        stage.server.kill()


def _run(attack: Attack, stage: Stage) -> str:
    begun = time.monotonic()
    try:
        got = attack.run(stage)
    except Overtime:
        got = "not done in time"
    except OSError as error:
        got = f"failed: {error}"
    return f"{got}, {time.monotonic() - begun:.1f} s"
