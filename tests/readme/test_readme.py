"""The README in both languages is compared with the server that it describes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mektup.auth import schemes
from mektup.cli import main
from mektup.cli.demo.command import USER
from mektup.server import config
from mektup.server.app import ThreadedServer
from mektup.server.config import DEFAULT_LISTEN
from tests.readme.document import READMES, ROOT, blocks, both_sessions
from tests.readme.sessions import TYPED, Talk, demo, played, steady
from tests.support.command import mektup

readme = pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    """The server of ``mektup demo``, on free ports."""
    with demo() as served:
        yield served


@readme
def test_telnet_session_word_for_word(path: Path, server: ThreadedServer) -> None:
    [session] = blocks(path, "telnet")
    assert steady(played(session, server)) == steady(session)
    typed = [line for line in session.splitlines() if TYPED.match(line)]
    assert typed == ["A001 LOGIN linda Pa$$123", "A002 SELECT INBOX", "A003 FETCH 3 BODY[TEXT]", "A004 LOGOUT"]


@readme
def test_two_sessions_side_by_side(path: Path, server: ThreadedServer) -> None:
    steps = both_sessions(path)
    assert len(steps) > 10
    with Talk(server, "imap") as imap, Talk(server, "pop3") as pop3:
        talks = {"imap": imap, "pop3": pop3}
        for talk in talks.values():
            talk.read()
        for step in steps:
            if step.typed:
                talks[step.protocol].type(step.line)
                continue
            while not matches(came := talks[step.protocol].read(), step.line):
                # Only responses before the last line of an answer may be left out.
                assert came.startswith("* "), f"{came!r} came in place of {step.line!r}"
    assert [step.line for step in steps if step.line.endswith("EXPUNGE")] == ["* 1 EXPUNGE"]


def matches(came: str, shown: str) -> bool:
    """Whether *came* is the line *shown*, in which a response code may be shortened to ``[…]``."""
    return re.fullmatch(re.escape(shown).replace(re.escape("[…]"), r"\[[^]]*\]"), came) is not None


@readme
def test_python_example(path: Path, tmp_path: Path) -> None:
    [example, printed] = blocks(path, "python") + blocks(path, "text")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == printed


@pytest.mark.parametrize("path", [*READMES, ROOT / "docs" / "configuration.md"], ids=lambda path: path.name)
def test_configuration_examples_can_be_used(path: Path, tmp_path: Path) -> None:
    examples = blocks(path, "toml")
    assert examples
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.toml"
        file.write_text(example)
        assert config.load(file).data == Path("/var/lib/mektup")


@readme
def test_commands_are_there(path: Path) -> None:
    commands = {line for block in blocks(path, "sh") for line in block.splitlines() if "bin/mektup" in line}
    assert len(commands) >= 7
    [program] = entry_points(group="console_scripts", name="mektup")
    assert program.load() is main
    for command in commands:
        words = shlex.split(command)[1:]
        subcommand = [word for word in words[:2] if word.isalpha() and word != USER]
        done = mektup(*subcommand, "--help")
        assert done.status == 0, command
        for option in (word for word in words if word.startswith("--")):
            assert option in done.stdout, command


@readme
def test_ports_are_the_defaults(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for addresses in DEFAULT_LISTEN.values():
        for address in addresses:
            assert address.rpartition(":")[2] in text


@readme
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@readme
def test_commands_of_the_makefile_are_there(path: Path) -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", path.read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "check", "test-clients", "test-peer", "bench"} <= named
    assert named <= targets


def test_both_languages_show_the_same() -> None:
    english, turkish = READMES
    assert blocks(english) == blocks(turkish)
    assert both_sessions(english) == both_sessions(turkish)
    said = [(inline_code(path), python_versions(path)) for path in READMES]
    # the only code that is translated
    assert said[0][0] - said[1][0] == {"name:{SCHEME}secret"}
    assert said[1][0] - said[0][0] == {"ad:{ŞEMA}parola"}
    assert said[0][1] == said[1][1] >= {"3.11", "3.11.2", "3.12.1", "3.13.0"}


def inline_code(path: Path) -> set[str]:
    """The texts between backticks outside of fenced blocks."""
    running = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", running)}


def python_versions(path: Path) -> set[str]:
    """The versions of Python in the text."""
    return set(re.findall(r"(?<![\d.])3\.\d+(?:\.\d+)?(?![\d.]*\d)", path.read_text(encoding="utf-8")))


@readme
def test_password_schemes_that_are_named_are_known(path: Path) -> None:
    named = {code for code in inline_code(path) if re.fullmatch(r"\{[A-Z0-9-]+\}", code)}
    assert len(named) == 10
    assert named <= set(schemes.KNOWN.split(", "))
