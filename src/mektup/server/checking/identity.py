"""Who runs the server, and what that user may do with files."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path

from mektup.store import files, system
from mektup.terms.texts import Text

UNITS = (Path("/etc/systemd/system"), Path("/lib/systemd/system"))
UNIT = "mektup.service"


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A user, with groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def name(self) -> str:
        """The user's name."""
        return system.user_name(self.uid)


def identity(data: Path, units: Sequence[Path] = UNITS) -> Identity:
    """Who runs the server on *data*: this user, but for root the owner of the directory.

    Where that is root, too, it is the user of the unit of systemd. The unit may put the user into more groups.
    """
    own = system.effective_user()
    try:
        owner = data.stat().st_uid
    except OSError:
        owner = own
    if own == 0 and owner == 0:
        for name in unit_settings("User", units):
            owner, _ = system.user_named(name) or (owner, 0)
    if own != 0 or owner == 0:
        return Identity(own, system.effective_group(), system.groups())
    gid, groups = system.groups_of(owner)
    added = [found for name in unit_settings("SupplementaryGroups", units) if (found := system.group_named(name))]
    return Identity(owner, gid, (*groups, *added))


def unit_settings(wanted: str, units: Sequence[Path]) -> list[str]:
    """The words of a setting in the unit of mektup and in the files beside it."""
    found: list[str] = []
    for directory in units:
        for file in (directory / UNIT, *sorted((directory / f"{UNIT}.d").glob("*.conf"))):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            for line in text.splitlines():
                name, _, value = line.partition("=")
                if name.strip() == wanted:
                    found += value.split()
    return found


def why_denied(who: Identity, paths: Iterable[tuple[Path, bool]]) -> list[Text | None]:
    """For each path: why that user may not read it, or write it if the bool says so; None where it may.

    Where this process is root, another process asks, as that user: so access lists and all else count. Raises OSError.
    """
    asked = list(paths)
    if system.effective_user() != 0 or who.uid == 0:
        return [_denied(path, write=write) for path, write in asked]

    def answer() -> bytes:
        return pickle.dumps([_denied(path, write=write) for path, write in asked])

    answers = pickle.loads(system.run_as(who.uid, who.gid, who.groups, answer))
    return list(answers)


def _denied(path: Path, *, write: bool) -> Text | None:
    # a file that is there must be readable; one that is missing would be made
    if write or not path.exists():
        return files.why_denied(path)
    return files.why_unreadable(path)
