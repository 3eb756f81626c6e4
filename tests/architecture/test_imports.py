"""import-linter checks who may import whom (pyproject.toml). These tests check that each of its contracts can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

FORBIDDEN = {
    "Rooms use only what stands to their right": ("store/wrong_room.py", "mektup.server.config"),
    "Terms, message and wire know no I/O, no log and no engine": ("terms/wrong.py", "asyncio"),
    "Sessions and delivery know no event loop, no socket and no engine": ("imap/commands/wrong.py", "asyncio"),
    "In imap, commands do not know the session, and what they use does not know them": (
        "imap/sync/wrong.py",
        "mektup.imap.commands.noop",
    ),
    "Only imap speaks IMAP": ("delivery/wrong.py", "mektup.wire.strings"),
    "In the store, only arrival renders what goes over the wire": ("store/wrong_wire.py", "mektup.wire.strings"),
    "In wire, only bodies knows what a message is made of": ("wire/wrong.py", "mektup.message.scan"),
    "Rules of mail and sorting know no engine": ("store/rules/wrong.py", "apsw"),
    "A file of SQLite does not know what is in its tables": (
        "store/sqlite/file/wrong_table.py",
        "mektup.store.sqlite.tables.uids",
    ),
    "What stands beside the engine knows nothing of it": ("store/memo.py", "mektup.store.sqlite.store"),
    "Only the engine of the store speaks to SQLite, and compresses": ("auth/wrong_sqlite.py", "apsw"),
    "The two engines do not know each other": ("store/postgres/wrong_engine.py", "mektup.store.sqlite.store"),
    "Only the engine for several nodes needs the libraries for it": ("server/wrong_database.py", "psycopg"),
    "Only auth hashes passwords": ("server/wrong_hash.py", "argon2"),
    "Only the check of tokens needs the library for them": ("server/wrong_token.py", "joserfc"),
    "Only server knows sockets, TLS and certificates": ("auth/wrong_socket.py", "socket"),
    "Only the command line reads arguments and draws on a terminal": ("server/wrong_terminal.py", "rich"),
    "Only server makes the log and the metrics": ("lmtp/wrong.py", "structlog"),
}
"""For each contract, an import that breaks it."""


def test_each_contract_fails_where_it_is_broken(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for place, module in FORBIDDEN.values():
        (tmp_path / "src" / "mektup" / place).write_text(f"import {module}\n", encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1, done.stderr
    verdicts = dict(re.findall(r"(\S[^\n]*?) (KEPT|BROKEN)", re.sub(r" +\n", " ", done.stdout)))
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    assert {each["name"]: verdicts.get(each["name"]) for each in contracts} == dict.fromkeys(FORBIDDEN, "BROKEN")
