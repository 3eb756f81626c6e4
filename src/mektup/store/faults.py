"""Faults of the machine under the store: a full disk, a failed disk, damage. Not a client's mistakes.

The engine reports each fault once, to ``Faults``, for the operator. The kind of the fault decides the
answer to the client.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from mektup.store import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import ABOUT, Text


class Kind(Enum):
    """A kind of fault: its name in metrics and log, and the code and text of its refusal."""

    FULL = ("full", Code.DISKFULL, texts.DISK_FULL)
    FAILED = ("failed", Code.UNAVAILABLE, texts.DISK_FAILED)
    READ_ONLY = ("read-only", Code.UNAVAILABLE, texts.DISK_READ_ONLY)
    DESCRIPTORS = ("descriptors", Code.UNAVAILABLE, texts.TOO_MANY_FILES)
    MEMORY = ("memory", Code.UNAVAILABLE, texts.OUT_OF_MEMORY)
    DAMAGED = ("damaged", Code.CORRUPTION, texts.FILE_DAMAGED)
    CUT_OFF = ("cut off", Code.UNAVAILABLE, texts.FILE_REPLACED)
    DENIED = ("denied", Code.UNAVAILABLE, texts.FILE_DENIED)
    NEWER = ("newer", Code.UNAVAILABLE, texts.FILE_NEWER)
    SHARD = ("shard", Code.UNAVAILABLE, texts.SHARD_UNAVAILABLE)
    OBJECTS = ("object store", Code.UNAVAILABLE, texts.OBJECT_STORE_FAILED)
    LOST = ("lost object", Code.EXPUNGEISSUED, texts.OBJECT_LOST)
    OTHER = ("other", Code.UNAVAILABLE, texts.ACCOUNT_UNUSABLE)

    def __init__(self, label: str, code: Code, text: Text) -> None:
        self.label = label
        """The value of the metric's label."""
        self.code = code
        self.text = text


_KINDS = {
    errno.ENOSPC: Kind.FULL,
    errno.EDQUOT: Kind.FULL,
    errno.EFBIG: Kind.FULL,
    errno.EIO: Kind.FAILED,
    errno.ENXIO: Kind.FAILED,
    errno.ENODEV: Kind.FAILED,
    errno.ESTALE: Kind.FAILED,
    errno.EROFS: Kind.READ_ONLY,
    errno.EACCES: Kind.DENIED,
    errno.EPERM: Kind.DENIED,
    errno.EMFILE: Kind.DESCRIPTORS,
    errno.ENFILE: Kind.DESCRIPTORS,
    errno.ENOMEM: Kind.MEMORY,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that happened."""

    kind: Kind
    file: str
    """The path of the file."""
    reason: Text | str
    """The system's error, for a person."""
    account: str = ""
    """The account's name; empty where the file belongs to no account."""
    lasts: bool = True
    """Whether the fault still exists when it is reported."""

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"

    def refusal(self) -> FaultRefused:
        """The refusal for the client."""
        return FaultRefused(self.kind.code, self.kind.text, self)


@dataclass(eq=False)
class FaultRefused(Refused):
    """A refusal that a fault of the machine caused."""

    fault: Fault


class Faults(Protocol):
    """Records faults of the machine for the operator."""

    def happened(self, fault: Fault) -> None:
        """Records *fault*, for which a command was or would be refused. In the event loop's thread; never raises."""


def kind_of_errno(number: int) -> Kind | None:
    """The kind of fault of an errno; None where the errno is not known here."""
    return _KINDS.get(number)


def fault_of_os_error(error: OSError, file: Path | str) -> Fault:
    """The fault for the system's *error* about *file*."""
    number = error.errno or 0
    return Fault(kind_of_errno(number) or Kind.OTHER, str(error.filename or file), words_of_errno(number))


def words_of_errno(number: int) -> Text | str:
    """For example ``ENOSPC, No space left on device``; 0 means that no reason is known."""
    return f"{errno.errorcode.get(number, number)}, {os.strerror(number)}" if number else texts.NO_REASON


def in_words(refusal: Refused) -> Text:
    """The refusal and, for a fault, its file and reason: for an operator who runs a command."""
    text = refusal.text
    if not isinstance(refusal, FaultRefused):
        return text
    return ABOUT.of(place=text, problem=ABOUT.of(place=refusal.fault.file, problem=refusal.fault.reason))
