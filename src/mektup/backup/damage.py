"""What cannot be read of a backup."""

from __future__ import annotations

from pathlib import Path

from mektup.backup import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import ABOUT, Text


class Damage(Refused):
    """A file of a backup, or a part of one, is not as it was written."""

    def __init__(self, text: Text) -> None:
        super().__init__(Code.CORRUPTION, text)


def damage_at(path: Path, octet: int, problem: Text) -> Damage:
    """Damage at a place in a file."""
    return Damage(texts.AT_OCTET.of(path=path, octet=octet, problem=problem))


def damage_in(path: Path, problem: Text) -> Damage:
    """Damage of a whole file."""
    return Damage(ABOUT.of(place=path, problem=problem))
