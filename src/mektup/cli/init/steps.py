"""The steps that make a server of a machine. Each one knows whether it is done, so that a second run does nothing."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

from mektup.cli.init import texts
from mektup.store import files, system
from mektup.terms.texts import Text

CALL_SECONDS = 60.0


class State(Enum):
    """Whether a step is to be done."""

    DONE = "done"
    MISSING = "missing"
    OTHER = "other"
    """A file is there, with another text: perhaps somebody has changed it."""


class StepError(Exception):
    """A command of a step failed; ``args[0]`` is what it said."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    what: Text
    """What it makes."""
    state: State
    do: Callable[[], None]
    """Raises OSError, StepError, Refused."""
    path: Path | None = None
    """The file that it writes, and its text."""
    content: str = ""


def written(what: Text, path: Path, content: str, mode: int = 0o644, *, keep: bool = False) -> Step:
    """Writes *content* to *path*. With *keep*, any text that is there is right."""
    try:
        there = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        state = State.MISSING
    except UnicodeDecodeError:
        state = State.OTHER
    else:
        state = State.DONE if keep or there == content else State.OTHER

    def do() -> None:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        files.write(path, content.encode(), mode)

    return Step(what, state, do, path, content)


def user(name: str, home: Path, *, exists: bool) -> Step:
    """Adds a user for the service, who cannot log in."""
    words = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", _nologin()]
    return _called(texts.STEP_USER.of(user=name), exists, [*words, "--home-dir", str(home), name])


def called(what: Text, *words: str, done: bool = False) -> Step:
    """Calls a program."""
    return _called(what, done, list(words))


def data_directory(path: Path, name: str) -> Step:
    """Makes the data directory, or gives what root made to the user *name*."""
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        return Step(texts.STEP_DATA.of(directory=path, user=name), State.MISSING, lambda: _make_for(path, name))
    found = system.user_named(name)
    done = found is not None and found[0] == owner
    return Step(
        texts.STEP_OWNER.of(directory=path, user=name),
        State.DONE if done else State.MISSING,
        lambda: _give(path, name),
    )


def _make_for(path: Path, name: str) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.mkdir(mode=0o700)
    path.chmod(0o700)
    _give(path, name)


def _give(path: Path, name: str) -> None:
    found = system.user_named(name)
    if found is None:
        raise StepError(f"{name}: no such user")
    for each in _inside(path):
        os.chown(each, *found, follow_symlinks=False)


def _inside(path: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(path):
        yield Path(directory)
        yield from (Path(directory, name) for name in names)


def group_of(name: str) -> str:
    """The first group of the user *name*; *name* itself where there is no such user yet."""
    found = system.user_named(name)
    return name if found is None else system.group_name(found[1])


def _called(what: Text, done: bool, words: list[str]) -> Step:
    return Step(what, State.DONE if done else State.MISSING, lambda: _call(words))


def _call(words: list[str]) -> None:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=CALL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise StepError(f"{shlex.join(words)}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().replace("\n", "; ")
        raise StepError(f"{shlex.join(words)}: {said or done.returncode}")


def _nologin() -> str:
    return shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin") or "/bin/false"
