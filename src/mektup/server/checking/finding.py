"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mektup.terms.texts import Text


class Weight(Enum):
    """How bad it is."""

    FINE = "ok"
    WARNING = "warning"
    """The server runs, but perhaps not for long, or not for all."""
    ERROR = "error"
    """The server does not start, or does not do what the configuration says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report."""

    weight: Weight
    about: str
    """The key of the configuration, or what else was checked: ``data``, ``listen.imap``, ``clock``."""
    what: Text
    mending: Text | str | None = None
    """What mends it: a sentence, or a command."""


def fine(about: str, what: Text) -> Finding:
    """All is well."""
    return Finding(Weight.FINE, about, what)


def warning(about: str, what: Text, mending: Text | str | None = None) -> Finding:
    """See ``Weight.WARNING``."""
    return Finding(Weight.WARNING, about, what, mending)


def failure(about: str, what: Text, mending: Text | str | None = None) -> Finding:
    """See ``Weight.ERROR``."""
    return Finding(Weight.ERROR, about, what, mending)
