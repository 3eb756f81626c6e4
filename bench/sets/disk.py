"""``disk``: octets on disk for each octet of mail, and the share of the search index."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import apsw

from bench.fill import MektupFilling
from bench.mektup import Mektup
from bench.rows.registry import CROWD, CROWD_MESSAGES, READER, Bench
from bench.sets.lines import Line

COMPRESSION = 3
"""The level of zstandard."""


def disk(bench: Bench) -> list[Line]:
    """Measures all accounts together, as the file system counts them, after the server was at rest and has stopped."""
    bench.open_all()
    bench.restart(workers=1)
    bench.wait_for_rest()
    bench.hang_up()
    bench.server.stop()
    octets = bench.octets + len(CROWD) * sum(len(mail.raw) for mail in bench.mail[:CROWD_MESSAGES])
    folder = Path(bench.server.mail_folder)
    lines = [Line("octets on disk for an octet of mail", "", {bench.name: on_disk(folder) / octets})]
    if isinstance(bench.server, Mektup):
        lines += _of_mektup(bench, folder)
    return lines


def on_disk(folder: Path) -> int:
    """The octets of all blocks that the file system uses for *folder*."""
    return sum(
        (Path(place) / name).stat().st_blocks * 512 for place, _, names in os.walk(folder) for name in [".", *names]
    )


def _of_mektup(bench: Bench, folder: Path) -> list[Line]:
    index, text = map(sum, zip(*[_index_and_text(file) for file in folder.glob("*/*.db")], strict=True))
    lines = [
        Line("search index: octets for an octet of text", "", {bench.name: index / text if text else 0.0}, 1.0),
    ]
    compressed = Mektup(folder.parent.parent / "compressed", workers=1, settings=f"compression = {COMPRESSION}")
    MektupFilling(compressed.data, {READER: bench.messages}, compression=COMPRESSION).wait()
    other = Bench(compressed, bench.mail, bench.messages, bench.octets)
    other.restart(workers=1)
    other.wait_for_rest()
    other.hang_up()
    compressed.stop()
    packed = on_disk(compressed.data / "accounts") / bench.octets
    lines.append(Line(f"the same, compressed by zstandard, level {COMPRESSION}", "", {bench.name: packed}, 1.0))
    shutil.rmtree(compressed.data)
    return lines


def _index_and_text(file: Path) -> tuple[int, int]:
    """Octets of the pages of an account's search index, and of the decoded texts that it indexes."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    pages = "SELECT total(pgsize) FROM dbstat WHERE name GLOB 'trigrams*' OR name = 'search_texts'"
    octets = "SELECT total(octets) FROM search_texts"
    index, text = (sum(row[0] for row in connection.execute(question)) for question in (pages, octets))
    connection.close()
    return int(index), int(text)
