"""One attack measured: what a bystander waited for, and how much the server grew."""

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
    """What an attack did."""

    attack: Attack
    waits: Waits
    growth: float
    """Of the server's memory at its highest, MB."""
    cpu: float
    """Seconds of processor that the server used."""
    got: str

    def broken(self, factor: float) -> list[str]:
        """Which bounds, each made *factor* times wider for a noisy machine, did not hold."""
        found = []
        if self.waits.net * 1000 > self.attack.stall_ms * factor:
            found.append(f"a NOOP waited {self.waits.net * 1000:.0f} ms ({self.attack.stall_ms:.0f} are allowed)")
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
        """MB at the highest, beyond those at the beginning."""
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
        # a password is hashed in 64 MB; from here on it is remembered
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
        # what is still under way is of no interest
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
