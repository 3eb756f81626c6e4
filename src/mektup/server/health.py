"""Whether a server is healthy, for ``/health``: in words for people, in JSON for programs.

A trouble makes the answer 503: some mail cannot be served, or soon cannot. A warning leaves it at 200. A log that
cannot be written is a warning, because mail goes on without it: a balancer that believes ``/health`` would turn a full
disk of the log into an outage of the mail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mektup.server.metrics import Status
from mektup.server.tls import EXPIRY_DAYS

_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a server in words."""

    workers: int
    """The number of workers that should be up."""
    up: int
    troubles: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether mail is served as it should be."""
        return self.up > 0 and not self.troubles

    def text(self) -> bytes:
        """A line for each thing to say."""
        lines = [f"{self.up} of {self.workers} workers up", *self.troubles]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "".join(f"{line}\n" for line in lines).encode()

    def json(self) -> bytes:
        """The same as one object."""
        told = {
            "healthy": self.is_well,
            "workers": self.workers,
            "workers_up": self.up,
            "troubles": self.troubles,
            "warnings": self.warnings,
        }
        return json.dumps(told).encode("ascii") + b"\n"


def health_of(status: Status) -> Health:
    """The health of a server in this *status*."""
    troubles, warnings = list(status.troubles), list(status.warnings)
    days = status.certificate_seconds / _DAY
    if days < 0:
        troubles.append(f"the certificate expired {-days:.1f} days ago: most clients refuse it")
    elif days < EXPIRY_DAYS:
        warnings.append(f"the certificate expires in {days:.1f} days")
    return Health(status.workers, status.up, tuple(troubles), tuple(warnings))
