"""Passwords never appear in a log, a metric, on standard error or in the text of a value, whatever goes wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import faulthandler
import io
import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from mektup.auth import passwords, scram_keys
from mektup.auth.connections import AccountConnections
from mektup.auth.gate import Gate
from mektup.auth.passwords import Verifier
from mektup.cli.passwd_file import Line
from mektup.pop3.commands import Command
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config
from mektup.server.logs import Log
from mektup.server.single import Single, open_single
from mektup.store.interface import AccountEntry
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import Authenticate, Login

SECRET = "Gizli-7f3a"
"""A password that nothing else contains."""

RIGHT = "Dogru-9c1e"
"""The right password of linda."""


def encoded(text: bytes) -> bytes:
    return base64.b64encode(text)


PLAIN = encoded(b"\0linda\0" + SECRET.encode())
SIGNS = [
    *(SECRET, RIGHT, PLAIN.decode(), encoded(SECRET.encode()).decode(), SECRET.encode().hex()),
    *(encoded(b"\0linda\0" + RIGHT.encode()).decode(), "$argon2id", "SCRAM-SHA-256$"),
]
"""What a leak would look like."""

LONG = b"x" * 9000

IMAP = [
    b"a LOGIN linda %b\r\n",
    b'a LOGIN "linda" "%b"\r\n',
    b"a LOGIN {5+}\r\nlinda {10+}\r\n%b\r\n",
    b"a LOGIN linda %b too much\r\n",
    b"a LOGIN %b\r\n",
    b'a LOGIN linda "%b\r\n',
    b"a LOGIN linda %b\r\na LOGIN linda %b\r\na LOGIN linda %b\r\na LOGIN linda %b\r\n",
    b"a login linda %b\x00\r\n",
    b"a LOGIN linda %b\xff\r\n",
    b"a LOGIN linda %b" + LONG + b"\r\n",
    b"a LOGIN linda {9000+}\r\n%b" + LONG + b"\r\n",
    b"LOGIN linda %b\r\n",
    b"a UID LOGIN linda %b\r\n",
    b"%b\r\n",
    b"%b NOOP\r\n",
    b"a AUTHENTICATE PLAIN @PLAIN\r\n",
    b"a AUTHENTICATE PLAIN\r\n@PLAIN\r\n",
    b"a AUTHENTICATE PLAIN @PLAIN@PLAIN\r\n",
    b"a AUTHENTICATE PLAIN\r\n@PLAIN!\r\n@PLAIN\r\n",
    b"a AUTHENTICATE PLAIN\r\n@PLAIN" + LONG + b"\r\n",
    b"a AUTHENTICATE UNKNOWN @PLAIN\r\n@PLAIN\r\n",
    b"a AUTHENTICATE LOGIN\r\nbGluZGE=\r\n@ONLY\r\n",
    b"a AUTHENTICATE LOGIN bGluZGE=\r\n@ONLY\r\n",
    b"a AUTHENTICATE LOGIN\r\nbGluZGE=\r\n%b\r\n",
    b"a AUTHENTICATE SCRAM-SHA-256 biwsbj1saW5kYSxyPWFiYw==\r\n@PLAIN\r\n",
    b"a AUTHENTICATE SCRAM-SHA-256 @PLAIN\r\n",
    b"a AUTHENTICATE SCRAM-SHA-256\r\n@PLAIN\r\n",
    b"a LOGIN linda @RIGHT\r\nb LOGIN linda %b\r\nc AUTHENTICATE PLAIN @PLAIN\r\nd SELECT %b\r\n",
]
POP3 = [
    b"USER linda\r\nPASS %b\r\n",
    b"PASS %b\r\n",
    b"USER linda\r\nPASS %b " + LONG + b"\r\n",
    b"USER linda\r\nPASS %b\x00\xff\r\n",
    b"USER linda\r\npass  %b \r\n",
    b"USER linda\r\nPAS %b\r\n",
    b"%b\r\n",
    b"APOP linda %b\r\n",
    b"AUTH PLAIN @PLAIN\r\n",
    b"AUTH PLAIN\r\n@PLAIN\r\n",
    b"AUTH UNKNOWN @PLAIN\r\n@PLAIN\r\n",
    b"AUTH LOGIN\r\nbGluZGE=\r\n@ONLY\r\n",
    b"USER linda\r\nPASS @RIGHT\r\nPASS %b\r\nAUTH PLAIN @PLAIN\r\n",
]
LMTP = [b"AUTH PLAIN @PLAIN\r\n", b"LHLO x\r\nAUTH PLAIN @PLAIN\r\n@PLAIN\r\n"]
SPOKEN = [(Service.IMAP, IMAP), (Service.POP3, POP3), (Service.LMTP, LMTP)]


def planted(template: bytes) -> bytes:
    for sign, text in ((b"%b", SECRET.encode()), (b"@PLAIN", PLAIN), (b"@ONLY", encoded(SECRET.encode()))):
        template = template.replace(sign, text)
    return template.replace(b"@RIGHT", RIGHT.encode())


class Broken(Exception):
    """A bug of ours, whose text repeats what it got."""


def break_down(*given: object, **more: object) -> Any:
    """What a bug looks like that has the password in its locals and in its text."""
    password = SECRET  # noqa: F841
    try:
        raise KeyError(SECRET)
    except KeyError as cause:
        raise Broken(given, more, RIGHT, SECRET) from cause


BUGS: dict[str, tuple[type, str] | None] = {
    "none": None,
    "in the directory": (Gate, "_find"),
    "in the check": (Verifier, "check"),
    "in the keys": (Gate, "scram_keys"),
    "after the check": (AccountConnections, "open"),
}


@asynccontextmanager
async def server(data: Path, level: str, form: str) -> AsyncIterator[tuple[Single, io.StringIO]]:
    out = io.StringIO()
    log = Log(level, form, out)
    handlers = logging.getLogger().handlers[:]
    log.take_over()
    listen = {service: (Endpoint("127.0.0.1", 0),) for service in (*(each for each, _ in SPOKEN), Service.METRICS)}
    limits = Limits(login_delay_seconds=0.001, stop_seconds=0.5)
    single = await open_single(Config(data=data, listen=listen, limits=limits), log.logger, log)
    try:
        await single.node.store.directory.add("linda", passwords.secrets_for(RIGHT))
        yield single, out
    finally:
        await single.stop()
        logging.captureWarnings(False)
        logging.getLogger().handlers[:] = handlers


async def speak(single: Single, service: Service, octets: bytes, cut: int) -> None:
    """Sends *octets* in pieces, and reads until the server has nothing more to say."""
    port = single.endpoints[service][0].port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for start in range(0, len(octets), cut):
        writer.write(octets[start : start + cut])
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


def page(single: Single, path: str) -> Callable[[], str]:
    port = single.endpoints[Service.METRICS][0].port
    return lambda: str(urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10).read().decode())


def assert_hidden(shown: str) -> None:
    for sign in SIGNS:
        at = shown.find(sign)
        assert at < 0, f"{sign} in ...{shown[max(0, at - 300) : at + 300]}"


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_way_to_log_in_shows_a_password(
    tmp_path: Path, form: str, bug: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # hashing takes a tenth of a second each time, and is not what is tested
    monkeypatch.setattr(passwords, "is_right", lambda password, secret: password == RIGHT.encode() and bool(secret))
    # the lines of all other levels are among these
    async with server(tmp_path / "data", "debug", form) as (single, out):
        if (place := BUGS[bug]) is not None:
            monkeypatch.setattr(*place, break_down)
        for service, templates in SPOKEN:
            for number, template in enumerate(templates):
                await speak(single, service, planted(template), cut=1 if number % 2 and len(template) < 1000 else 4096)
        shown = [await asyncio.to_thread(page(single, path)) for path in ("metrics", "health")]
        bugs = sum(tally.bugs for tally in single.node.sessions.tallies.values())
    printed = capfd.readouterr()
    for text in (out.getvalue(), *shown, printed.out, printed.err):
        assert_hidden(text)
    # the bug was met, and is still found by its place
    assert bool(bugs) is (place is not None)
    assert ("break_down" in out.getvalue()) is (place is not None)
    assert ("Broken" in out.getvalue()) is (place is not None)


HOLDERS = [
    Login(b"a", b"linda", SECRET.encode()),
    Authenticate(b"a", "PLAIN", b"\0linda\0" + SECRET.encode()),
    RawCommand((b"a LOGIN linda " + SECRET.encode(),)),
    RawCommand((b"a login ", b""), (SECRET.encode(),)),
    RawCommand((PLAIN,)),
    RawCommand((PLAIN + b" " + PLAIN + b" x",)),
    Command("PASS", SECRET.encode()),
    Line(1, "linda", "{PLAIN}" + SECRET),
    AccountEntry(AccountId("ab"), "linda", {"password": "{PLAIN}" + SECRET}),
    scram_keys.ScramKeys(4096, SECRET.encode(), SECRET.encode(), SECRET.encode()),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=[type(each).__name__ for each in HOLDERS])
def test_a_value_with_a_secret_does_not_show_it(holder: object) -> None:
    assert_hidden(repr(holder))
    assert_hidden(str(holder))


def test_a_dump_of_a_crash_has_only_places(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    with dump.open("w") as file:

        def crash(password: str) -> None:
            faulthandler.dump_traceback(file, all_threads=True)

        crash(SECRET)
    assert "crash" in dump.read_text()
    assert_hidden(dump.read_text())


def test_a_traceback_of_an_unforeseen_error_at_the_command_line_has_no_values(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from mektup.auth import passwords\n"
        "def broken(password, kinds=()):\n"
        "    raise RuntimeError('broken')\n"
        "passwords.secrets_for = broken\n"
        "passwords.imported_secrets = broken\n"
        "from mektup.cli import main\n"
        "main()\n"
    )
    (tmp_path / "passwd").write_text(f"linda:{{PLAIN}}{SECRET}\n")
    data = ["--data", str(tmp_path / "data")]
    for words in (["user", "add", "ada", "--password-stdin"], ["user", "import", str(tmp_path / "passwd")]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words, *data],
            input=f"{SECRET}\n",
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 1
        assert "RuntimeError: broken" in done.stderr
        assert_hidden(done.stdout + done.stderr)


IMPORTED = [
    f"linda:{SECRET}\n",
    f"linda:{{NOPE}}{SECRET}\n",
    f"linda:{{SSHA512}}{SECRET}\n",
    f"linda:{{PLAIN}}{SECRET}\x07\n",
    f"li nda:{{PLAIN}}{SECRET}\n",
    f":{{PLAIN}}{SECRET}\n",
    f"{SECRET}\n",
    f"linda:{{PLAIN.HEX}}{SECRET}\n",
    f"linda:{{BLF-CRYPT}}$2b$99${SECRET}\n",
    f"linda:{{PLAIN}}{SECRET}\nlinda:{{PLAIN}}{SECRET}\n",
]


def test_an_import_that_complains_repeats_no_password(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("".join(IMPORTED) + f"ada:{{PLAIN}}{SECRET}")
    with passwd.open("ab") as file:
        file.write(b"\xff\n")
    done = subprocess.run(
        [sys.executable, "-m", "mektup", "user", "import", str(passwd), "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1
    assert done.stderr.count("line ") >= len(IMPORTED) - 1
    assert_hidden(done.stdout + done.stderr)


def test_the_texts_of_errors_repeat_no_password() -> None:
    for line in IMPORTED:
        try:
            passwords.imported_secrets(line.partition(":")[2].rstrip("\n"))
        except Exception as error:
            assert_hidden("".join(traceback.format_exception(error)))
