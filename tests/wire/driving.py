"""Drives a Receiver like a session, with the octets in pieces of any size."""

from collections.abc import Callable, Iterator

from mektup.terms.limits import Limits
from mektup.wire.receiver import Event, LiteralOffered, RawCommand, Receiver

LIMITS = Limits(
    login_line_bytes=40,
    login_literals=2,
    login_literal_bytes=10,
    line_bytes=60,
    literal_bytes=20,
    literals=3,
    command_bytes=100,
    message_bytes=200,
)
"""Small limits, so that tests can reach all of them."""


class Sink:
    """Keeps the octets of a message literal for the tests."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.octets = bytearray()

    def write(self, octets: bytes | memoryview) -> None:
        self.octets += octets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sink) and (self.size, self.octets) == (other.size, other.octets)

    def __repr__(self) -> str:
        return f"Sink({bytes(self.octets)!r} of {self.size})"


Answer = Callable[[Receiver, LiteralOffered], None]


def accept(receiver: Receiver, offered: LiteralOffered) -> None:
    receiver.accept()


def accept_into_sink(receiver: Receiver, offered: LiteralOffered) -> None:
    receiver.accept_into(Sink(offered.size))


def refuse(receiver: Receiver, offered: LiteralOffered) -> None:
    receiver.refuse()


def events(
    octets: bytes, *, piece: int, answer: Answer = accept, logged_in: bool = True, limits: Limits = LIMITS
) -> list[Event]:
    """The events of a receiver for *octets*, fed in pieces of *piece* octets; *answer* answers each offer."""
    receiver = Receiver(limits)
    if logged_in:
        receiver.logged_in()
    seen: list[Event] = []
    for start in range(0, len(octets), piece):
        receiver.feed(octets[start : start + piece])
        while (event := receiver.next_event()) is not None:
            seen.append(event)
            if isinstance(event, LiteralOffered):
                answer(receiver, event)
    return seen


def ways(octets: bytes) -> Iterator[int]:
    """The same events for the whole, for single bytes and for pieces of 7."""
    yield from (max(1, len(octets)), 1, 7)


def raw(*fragments: bytes) -> RawCommand:
    """A command without literals."""
    return RawCommand(fragments)
