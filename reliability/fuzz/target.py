"""What is fuzzed: a function from octets to nothing, with examples of good input and the words of its language."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

KIB = 1024

Frame = tuple[bytes, bytes]
"""What stands before and after a repeated text, so that it reaches the code that it is meant for."""


class Broken(AssertionError):
    """A property does not hold; the text says which."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz. ``run`` may raise nothing at all: the errors that are allowed are caught in it."""

    name: str
    what: str
    """For the list of targets."""
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    """Good and odd input to begin with."""
    words: Sequence[bytes]
    """Texts that have a meaning in this language."""
    frames: Sequence[Frame] = ((b"", b""),)
    longest: int = 4 * KIB
    """Octets of a mutated input."""
    largest: int = 64 * KIB
    """Octets of the largest input of the growth check: about the largest that reaches this code in a server."""
    is_one_answer: bool = True
    """Whether an input is answered as a whole, so that it may not take over a second."""
    grows: bool = True
    """Whether it is checked how time grows with the size of the input."""
    is_guided: bool = True
    """Whether the code runs in this process, where coverage is seen."""
    close: Callable[[], None] = lambda: None
    """Gives back what ``run`` has opened; called once, at the end."""
    weight: float = 1.0
    """Its share of the time of a run."""


def require(holds: object, what: str) -> None:
    """Raises Broken with *what* if a property does not hold."""
    if not holds:
        raise Broken(what)


def same(one: object, other: object, what: str) -> None:
    """Raises Broken if two values differ that must be equal."""
    if one != other:
        raise Broken(f"{what}: {one!r:.300} and {other!r:.300}")


def pieces(octets: bytes) -> list[bytes]:
    """*octets*, cut at random places, always the same ones for the same octets."""
    rng = random.Random(zlib.crc32(octets))
    most = rng.choice((1, 3, 20, 200))
    cut: list[bytes] = []
    at = 0
    while at < len(octets):
        size = rng.randint(1, most if len(octets) < 2000 else 500)
        cut.append(octets[at : at + size])
        at += size
    return cut
