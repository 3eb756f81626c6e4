"""Many clients at once in one process: an epoll loop in which each client is a generator of steps.

A client yields the octets to send and the beginning of the answer's last line, and is resumed with the answer. The loop
times each step and does nothing else, so that it measures the servers and not itself.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from bench.client import Address

DEADLINE = 300.0
"""After so many seconds, a crowd that is not done has failed."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of a client."""

    kind: str
    """The name under which it is timed."""
    octets: bytes
    """The octets to send; empty: waits until all clients are at this point."""
    ends: bytes
    """The beginning of the last line of the answer; after ``+``, other lines may follow."""
    pause: float = 0.0
    """Seconds to wait after the answer; octets that come meanwhile are ignored."""


Script = Generator[Step, bytes, None]


class _Member:
    """A client: its socket, its script, and its current step."""

    def __init__(self, address: Address, script: Script) -> None:
        self.socket = socket.create_connection(address, timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.script = script
        self.step = Step("", b"", b"")
        self.chunks: list[bytes] = []
        self.tail = b""
        self.begun = 0.0
        self.is_pausing = False
        """The step is answered, but the next one is not due yet; octets that come meanwhile are ignored."""

    def go(self, answer: bytes | None) -> bool:
        """Takes the next step; False if there is none."""
        try:
            self.step = next(self.script) if answer is None else self.script.send(answer)
        except StopIteration:
            self.socket.close()
            return False
        self.chunks, self.tail, self.is_pausing = [], b"", False
        self.begun = time.perf_counter()
        self.socket.sendall(self.step.octets)
        return True

    def receive(self) -> bool:
        """Reads octets; returns whether the step is answered. Raises OSError for NO, BAD or a closed connection."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise OSError(f"the server closed the connection at {self.step.kind}")
        if self.is_pausing:
            return False
        self.chunks.append(chunk)
        self.tail = (self.tail + chunk)[-1024:]
        if not self.tail.endswith(b"\r\n"):
            return False
        lines = self.tail[:-2].split(b"\r\n")
        last = lines[-1]
        if self.step.ends == b"+" and any(line.startswith(b"+") for line in lines):
            return True
        if not last.startswith(self.step.ends):
            return False
        if last.split(b" ", 2)[1:2] in ([b"NO"], [b"BAD"]):
            raise OSError(f"{self.step.octets[:80]!r} was answered by {last!r}")
        return True


Times = list[tuple[str, float]]
"""The kind and the seconds of each step, in the order in which they ended."""


def gather(address: Address, scripts: Iterable[Script], meet: Callable[[], object]) -> Times:
    """Runs all *scripts*, each on its own connection, and times the steps after the meeting.

    *meet* is called when all scripts have come to their step with nothing to send, just before they go on.
    """
    members = [_Member(address, script) for script in scripts]
    try:
        with select.epoll() as poll:
            return _run(members, poll, meet)
    finally:
        for member in members:
            member.socket.close()


def _run(members: Sequence[_Member], poll: select.epoll, meet: Callable[[], object]) -> Times:
    by_descriptor = {}
    for member in members:
        by_descriptor[member.socket.fileno()] = member
        poll.register(member.socket, select.EPOLLIN)
    times: Times = []
    early: list[_Member] = []
    resumed: list[tuple[float, int, _Member]] = []
    order = itertools.count()
    deadline = time.monotonic() + DEADLINE

    def resume(member: _Member, answer: bytes | None) -> None:
        descriptor = member.socket.fileno()
        if not member.go(answer):
            del by_descriptor[descriptor]
        elif not member.step.octets:
            early.append(member)
            if len(early) == len(members):
                times.clear()
                meet()
                for each in early:
                    resume(each, b"")

    for member in members:
        resume(member, None)
    while by_descriptor:
        if time.monotonic() > deadline:
            raise OSError(f"{len(by_descriptor)} clients were not done after {DEADLINE:.0f} seconds")
        pause = max(0.0, resumed[0][0] - time.perf_counter()) if resumed else 1.0
        for descriptor, _ in poll.poll(pause):
            member = by_descriptor[descriptor]
            if not member.receive():
                continue
            now = time.perf_counter()
            times.append((member.step.kind, now - member.begun))
            if member.step.pause:
                member.is_pausing = True
                heapq.heappush(resumed, (now + member.step.pause, next(order), member))
            else:
                resume(member, b"".join(member.chunks))
        while resumed and resumed[0][0] <= time.perf_counter():
            member = heapq.heappop(resumed)[2]
            resume(member, b"".join(member.chunks))
    return times


def percentile(values: Iterable[float], share: float) -> float:
    """The percentile of *values* for *share*; 0.99 gives the 99th percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
