"""Passes notices on between the processes of this node, on its Unix bus, and the other nodes.

One process of a data directory does it: the one that holds the lock, as two would pass each notice on twice, and hear
each other's. That is the parent of the workers or the only server process, and a command where no server runs.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from mektup.server.bus import Bus
from mektup.server.nodes.node_bus import NodeBus
from mektup.server.report import MetricKey
from mektup.store import files, system
from mektup.store.notices import Carrier
from mektup.terms.errors import Refused

LOCK = "relay.lock"
LOOK_SECONDS = 1.0
"""How often a process that does not pass notices on looks whether nobody else does it any more."""


class Relay:
    """This process's part in passing notices on."""

    def __init__(self, data: Path, carrier: Carrier, log: FilteringBoundLogger) -> None:
        """For the node whose processes meet in the data directory *data*. Raises OSError, Refused."""
        self._data = data
        self._log = log
        self._nodes = NodeBus(carrier, log)
        self._processes: Bus | None = None
        self._look: asyncio.TimerHandle | None = None
        files.make_directory(data / "run")
        path = data / "run" / LOCK
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | system.CLOSE_ON_EXEC, files.FILE_MODE)
        files.hand_over(path)

    @property
    def is_working(self) -> bool:
        """Whether this is the process that passes notices on."""
        return self._processes is not None

    def start(self) -> None:
        """Begins at once, or when no other process does it any more."""
        if system.try_lock(self._lock):
            try:
                self._begin()
            except (OSError, Refused) as error:
                self._log.warning("notices_not_passed_on", reason=str(error), retry_seconds=LOOK_SECONDS)
            else:
                return
        self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.start)

    def _begin(self) -> None:
        self._processes = Bus(self._data)
        self._processes.start(self._nodes.publish, self._nodes.publish_lost)
        self._nodes.start(self._processes.publish, self._processes.publish_lost)

    async def close(self) -> None:
        """Passes on what is there, if that is possible soon, and ends."""
        if self._look is not None:
            self._look.cancel()
        if self._processes is not None:
            self._processes.read_rest()
            await self._nodes.close()
            self._processes.close()
        os.close(self._lock)

    # What is seen of it

    def figures(self) -> dict[MetricKey, float]:
        """The metrics; none where another process passes notices on."""
        if not self.is_working:
            return {}
        return {
            ("mektup_bus_up", ()): float(self._nodes.is_up),
            ("mektup_bus_disconnects_total", ()): float(self._nodes.disconnects),
            ("mektup_bus_notices_total", ("sent",)): float(self._nodes.sent),
            ("mektup_bus_notices_total", ("received",)): float(self._nodes.heard),
        }

    def warnings(self) -> tuple[str, ...]:
        """What is wrong; mail goes on, but changes of other nodes are seen later."""
        if not self.is_working or not self._nodes.trouble:
            return ()
        return (f"the bus between nodes is down: {self._nodes.trouble}",)
