"""Reads Maildirs and other folders that clients write, to see what a run changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path


def tree(folder: Path) -> dict[str, bytes]:
    """The content of each file below *folder*, by its relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def maildir(folder: Path) -> Counter[tuple[bytes, str]]:
    """The messages of a Maildir, each with the letters of its flags (``S`` seen, ``F`` flagged, ``T`` deleted...).

    Lines in a Maildir end in LF; they are returned with CRLF, to compare with the server's.
    """
    found: Counter[tuple[bytes, str]] = Counter()
    for part in ("cur", "new"):
        for path in (folder / part).iterdir():
            letters = path.name.partition(":2,")[2]
            found[path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), letters] += 1
    return found


def put(folder: Path, name: str, raw: bytes, letters: str) -> None:
    """Adds a message to a Maildir, as a local mail program would."""
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "cur" / f"{name}:2,{letters}").write_bytes(raw.replace(b"\r\n", b"\n"))
