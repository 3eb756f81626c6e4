"""Names that clients and senders choose never become paths: whatever they are, the files are the expected ones."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from mektup import Server
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits

HOSTILE = [
    *("..", ".", "../x", "../../x", "a/../../x", "/etc/x", "//x", "./x", "x/", "x/.", "~", "~root", "~/x", "$HOME"),
    *("x\0y", "x\ny", "x\r\ny", "\\", "..\\x", "C:\\x", "CON", "NUL.txt", "%2e%2e%2f", "%00", "{0}", "%s%n", "`id`"),
    *(
        "$(id)",
        ";id",
        "|id",
        "-rf",
        "--data=/tmp",
        "*",
        "?",
        "[x]",
        "a" * 255,
        "a" * 999,
        "é" * 200,
        "/".join("a" * 60),
    ),
    *("mektup.db", "mektup.db-wal", "run", "tls", "accounts", "reserve", "run/nobodys.key", "../mektup.db", ".bus"),
    *(
        "x.db",
        "x.db-journal",
        "x.new",
        "\u202e",
        "．．／x",
        "..%c0%af",
        "&AC4ALg-/x",
        "INBOX/../..",
        "x@../..",
        "../x@y",
    ),
    *(
        "x.db?mode=memory",
        "file:x.db",
        ":memory:",
        "x#y",
        "''",
        '"',
        "'; DROP TABLE mailboxes; --",
        "\x7f",
        "\ufeff",
        " ",
    ),
]

EXPECTED = re.compile(
    r"mektup\.db(-wal|-shm)?|reserve|run|run/nobodys\.key|run/[0-9]+-[0-9a-f]+\.bus|tls|tls/self-signed\.(crt|key)"
    r"|accounts|accounts/[0-9a-f]{2}|accounts/[0-9a-f]{2}/[0-9a-f]+\.db(-wal|-shm)?"
)
"""Every path below a data directory."""


def quoted(name: str) -> bytes:
    octets = name.encode()
    return b"{%d+}\r\n%b" % (len(octets), octets)


async def spoken(server: Server, service: str, lines: list[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection(*server.address(service))
    writer.write(b"\r\n".join([*lines, b""]))
    writer.write_eof()
    said = await reader.read()
    writer.close()
    return said


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, and the temporary one: a relative path would show there."""
    for name in ("cwd", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.mark.timeout(180)  # thousands of commands, most of which wait for the disk
async def test_the_files_are_the_same_whatever_names_were_used(here: Path) -> None:
    data = here / "data"
    limits = Limits(login_delay_seconds=0.001, bad_commands=10_000)
    async with Server(data, users={"linda": "Pa$$123"}, limits=limits) as server:
        accounts = 1
        for name in HOSTILE:
            with contextlib.suppress(Refused):
                await server.store.directory.add(name, {"password": "{PLAIN}x"})
                accounts += 1
        lines = [b"a LOGIN linda Pa$$123", b"a ENABLE UTF8=ACCEPT"]
        for name in HOSTILE:
            for each in (quoted(name), quoted(f"Box/{name}")):
                lines += [b"a CREATE " + each, b"a SUBSCRIBE " + each, b"a SELECT " + each]
                lines += [b"a STATUS %b (MESSAGES)" % each, b"a LIST %b %b" % (each, each), b"a DELETE " + each]
            lines += [b"a CREATE " + quoted(name), b"a RENAME %b %b" % (quoted(name), quoted(f"To {name}"))]
        said = await spoken(server, "imap", lines)
        assert said.count(b"a OK [MAILBOXID (") > 100
        assert said.count(b"a OK RENAME") > 50
        for name in HOSTILE[:3]:
            await spoken(server, "imap", [b"a LOGIN %b x" % quoted(name)])
            await spoken(server, "pop3", [b"USER " + name.encode(), b"PASS x"])
        octets = [name.encode() for name in HOSTILE]
        mail = [b"LHLO x", b"MAIL FROM:<>"]
        for each in octets:
            mail += [b"RCPT TO:<linda+%b>" % each, b"RCPT TO:<%b>" % each, b'RCPT TO:<"%b"@x>' % each]
        mail += [b"DATA", b"Subject: x"]
        mail += [b'Content-Type: text/plain; name="%b"' % each.translate(None, b"\r\n") for each in octets]
        assert b"250 2.0.0" in await spoken(server, "lmtp", [*mail, b"", b"x", b".", b"QUIT"])
        held = files(data)
        databases = {path for path in held if path.startswith("accounts/") and path.endswith(".db")}
        assert len(databases) <= accounts
    assert not [path for path in held | files(data) if not EXPECTED.fullmatch(path)]
    assert sorted(path.name for path in here.iterdir()) == ["cwd", "data", "tmp"]
    assert files(here / "cwd") == files(here / "tmp") == set()
