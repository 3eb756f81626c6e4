"""Real mail: the messages of a corpus beside the checkout, or in the folder ``MEKTUP_CORPUS``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

BESIDE_CHECKOUT = Path(__file__).parents[3] / "shared" / "corpus"


def corpus_folder() -> Path | None:
    """The folder of the corpus, or None if there is none."""
    folder = Path(os.environ.get("MEKTUP_CORPUS", BESIDE_CHECKOUT))
    return folder if folder.is_dir() else None


def messages(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each message below *folder*, with a name; an mbox is split into messages."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".mbox":
            for number, raw in enumerate(split_mbox(path.read_bytes()), 1):
                yield f"{path.relative_to(folder)}:{number}", raw
        elif path.is_file() and not path.name.startswith("LICENSE"):
            yield str(path.relative_to(folder)), path.read_bytes()


def split_mbox(raw: bytes) -> list[bytes]:
    """The messages of an mbox file, without the ``From `` line before each and the empty line after it."""
    starts = [match.end() for match in re.finditer(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n", raw)]
    stops = [match.start() for match in re.finditer(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n", raw)][1:]
    pieces = [raw[start:stop] for start, stop in zip(starts, [*stops, len(raw)], strict=True)]
    return [re.sub(rb"(\r?\n)\r?\n\Z", rb"\1", piece) for piece in pieces]
