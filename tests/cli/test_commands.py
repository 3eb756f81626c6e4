"""The mektup command as a user types it."""

from __future__ import annotations

import imaplib
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mektup.server.config import DEFAULT_LISTEN
from tests.support.command import mektup

MEKTUP = [sys.executable, "-m", "mektup"]


def test_help_names_the_commands() -> None:
    told = subprocess.check_output([*MEKTUP, "--help"], text=True, timeout=30)
    for command in ("serve", "demo", "user"):
        assert f"\n  {command} " in told
    assert mektup("--help").stdout.splitlines()[2:] == told.splitlines()[2:]


@pytest.mark.parametrize("command", [(), ("user",), ("user", "add"), ("serve",), ("backup",)])
def test_help_has_a_short_name(command: tuple[str, ...]) -> None:
    told = mektup(*command, "-h")
    assert told.status == 0
    assert told.stdout == mektup(*command, "--help").stdout


@pytest.mark.parametrize("command", ["serve", "demo", "backup", "restore", "user", "alias", "domain", "who", "trace"])
def test_the_list_of_commands_says_of_each_what_its_own_help_does(command: str) -> None:
    """The list is made without loading the commands."""
    assert mektup("--help", command).stdout == mektup("--help").stdout


LOADED_ALWAYS = {
    "mektup",
    "mektup.cli",
    "mektup.cli.language",
    "mektup.cli.main",
    "mektup.cli.texts",
    "mektup.locale",
    "mektup.terms",
    "mektup.terms.texts",
}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("-h",), (), ("serv",)])
def test_version_and_help_load_no_command(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mektup", *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        timeout=30,
        check=False,
    ).stderr
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert {each for each in loaded if each.startswith("mektup")} <= LOADED_ALWAYS
    assert "typer" in loaded


def test_accounts_are_added_listed_and_removed(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    assert mektup("user", "add", "linda", "--password-stdin", *data, typed="Pa$$123\n").stdout == "added linda\n"
    again = mektup("user", "add", "LINDA", "--password-stdin", *data, typed="x\n")
    assert again.status == 1
    assert again.stderr.startswith("mektup: ")
    assert mektup("user", "list", "--names", *data).stdout == "linda\n"
    assert mektup("user", "passwd", "linda", "--password-stdin", *data, typed="new\n").status == 0
    kept = mektup("user", "remove", "linda", *data, typed="n\n")
    assert kept.status == 1
    assert "nothing was removed" in kept.stderr
    assert mektup("user", "remove", "linda", "--yes", *data).stdout == "removed linda\n"
    assert mektup("user", "list", "--names", *data).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("user", "passwd", "nobody", "--password-stdin"), 1, "there is no account nobody"),
        (("user", "remove", "nobody", "--yes"), 1, "there is no account nobody"),
        (("user", "add", "a/b", "--password-stdin"), 1, "mektup: "),
        (("user", "import", "nowhere"), 1, "nowhere: No such file or directory"),
        (("user", "list", "--config", "nowhere.toml"), 1, "nowhere.toml: No such file or directory"),
        (("user", "list", "--names", "--data", "elsewhere"), 1, "elsewhere is not there"),
        (("user", "list", "--names", "--data", "a", "--config", "b"), 2, "either --data or --config"),
        (("user", "ad"), 2, "No such command 'ad'"),
        (("serv",), 2, "No such command 'serv'"),
        (("serve", "--config", "nowhere.toml"), 1, "nowhere.toml: No such file or directory"),
    ],
)
def test_impossible_requests_are_explained(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    (tmp_path / "mektup-data").mkdir()
    done = mektup(*arguments, typed="x\n", where=tmp_path)
    assert done.status == status
    assert words in done.stderr


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    done = mektup("user", "add", "linda", "--password-stdin", "--data", str(tmp_path), typed="\n")
    assert done.status == 1
    assert "password" in done.stderr
    assert mektup("user", "list", "--names", "--data", str(tmp_path)).stdout == ""


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MEKTUP, "user", "add", "linda", "--data", str(tmp_path / "data")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    for asked in (1, 2):
        # the space comes when the echo is off and earlier input was dropped
        while seen.count(b": ") < asked:
            seen += os.read(ours, 1000)
        os.write(ours, b"Pa$$123\n")
    while b"added linda" not in seen:
        seen += os.read(ours, 1000)
    assert process.wait(30) == 0
    assert b"Pa$$123" not in seen
    os.close(ours)
    assert mektup("user", "list", "--names", "--data", str(tmp_path / "data")).stdout == "linda\n"


def test_accounts_from_a_file(tmp_path: Path) -> None:
    config = tmp_path / "mektup.toml"
    config.write_text('data = "mail"\n')
    file = tmp_path / "passwd"
    file.write_text(
        "# ours\n\nlinda:{PLAIN}Pa$$123\n"
        "deniz:{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuuLFG7VnOSSCsGSGTiO7RCcCgqbDVbnFe:1000:1000::/home/deniz::\n"
    )
    done = mektup("user", "import", str(file), "--config", str(config))
    assert (done.status, done.stdout) == (0, "imported 2 accounts\n")
    assert mektup("user", "list", "--names", "--data", str(tmp_path / "mail")).stdout == "deniz\nlinda\n"


def test_an_import_names_each_line_that_cannot_be_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_bytes(
        "\ufefflinda:{PLAIN}Pa$$123:1000:1000::/home/linda::\r\n"
        "çiğdem:{DES-CRYPT}abcdefghijklm\r\n"
        "lin da:{PLAIN}x\r\n"
        "LINDA:{PLAIN}y\r\n"
        "# a comment\r\n"
        "nothing\r\n".encode()
        + b"\xe7:{PLAIN}x\r\n"
        b"../x:{PLAIN}x\n"
        b"deniz:{SSHA}K665rMB6EnZrFSRolA/Fbp11PzHkPPzB\n"
        b"\x1b[2J:{PLAIN}x\n"
    )
    data = str(tmp_path / "data")
    done = mektup("user", "import", str(file), "--data", data)
    assert (done.status, done.stdout) == (1, "imported 2 accounts\n")
    said = done.stderr.splitlines()
    assert [line.partition("passwd: ")[2][:20] for line in said if "passwd: " in line] == [
        "line 2: çiğdem: The ",
        "line 3: lin da canno",
        "line 4: LINDA is in ",
        "line 6: expected nam",
        "line 7: not UTF-8 at",
        "line 8: ../x cannot ",
        "line 10: '\\x1b[2J' c",
        "7 lines were not imp",
    ]
    assert "{SSHA512}" in said[-1]
    assert mektup("user", "list", "--names", "--data", data).stdout == "deniz\nlinda\n"
    again = mektup("user", "import", "-", "--data", data, typed="linda:{PLAIN}new\nçiğdem:{MD5}abc\n")
    assert (again.status, again.stdout) == (1, "imported 1 account\n")
    assert "line 2: çiğdem: Not a hash of {MD5-CRYPT}" in again.stderr
    assert "1 line was not imported" in again.stderr
    nothing = mektup("user", "import", "-", "--data", data, typed="")
    assert (nothing.status, nothing.stdout) == (0, "imported 0 accounts\n")


@pytest.mark.parametrize(
    "name",
    [
        *("lin da", "a\tb", "a\nb", "a\u00a0b", "a\x1b[2Jb", "a\u202eb", "\0", "x" * 300, "ç" * 200, ""),
        *("..", ".", "a@b@c", "@", "@example.org", "ada@", "ada@b..c", "ada@."),
        *("a/b", "../x", 'a"b', "a<b>", "a:b", "a,b", "a\\b"),
    ],
)
def test_a_name_that_no_account_can_have_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    done = mektup("user", "add", name, "--password-stdin", "--data", str(data), typed="Pa$$123\n")
    assert (done.status, done.stdout) == (1, "")
    assert "cannot be the name of an account: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not data.exists()


def test_a_name_is_no_option(tmp_path: Path) -> None:
    data = str(tmp_path)
    assert mektup("user", "add", "-x", "--password-stdin", "--data", data, typed="Pa$$123\n").status == 2
    done = mektup("user", "add", "--password-stdin", "--data", data, "--", "-x", typed="Pa$$123\n")
    assert (done.status, done.stdout) == (1, "")
    assert 'begins with "-"' in done.stderr


@pytest.mark.parametrize(
    "name", ["ada+work@example.org", "o'brien", "çiğdem@örnek.example", "a.b..c@docomo.example", "x+y", "نازنین\u200cم"]
)
def test_names_that_mail_can_reach(tmp_path: Path, name: str) -> None:
    done = mektup("user", "add", name, "--password-stdin", "--data", str(tmp_path), typed="Pa$$123\n")
    assert (done.status, done.stdout, done.stderr) == (0, f"added {name}\n", "")
    assert mektup("user", "list", "--names", "--data", str(tmp_path)).stdout == f"{name}\n"


def test_an_account_that_is_there_is_told_before_a_password_is_asked_for(tmp_path: Path) -> None:
    data = str(tmp_path)
    mektup("user", "add", "linda", "--password-stdin", "--data", data, typed="Pa$$123\n")
    done = mektup("user", "add", "LINDA", "--data", data)
    assert (done.status, done.stdout) == (1, "")
    assert "there is an account LINDA already" in done.stderr


def _are_free(ports: list[int]) -> bool:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def test_the_demo_is_the_same_each_time(tmp_path: Path) -> None:
    ports = [int(text.rpartition(":")[2]) for texts in DEFAULT_LISTEN.values() for text in texts]
    if not _are_free(ports):
        pytest.skip("another server is at the demo's ports")
    for _ in range(2):
        process = subprocess.Popen(
            [*MEKTUP, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += process.stdout.readline()
        assert "telnet 127.0.0.1 1143" in said
        for port in ports:
            assert f"127.0.0.1:{port}" in said
        with imaplib.IMAP4("127.0.0.1", 1143) as client:
            client.login("linda", "Pa$$123")
            assert client.select() == ("OK", [b"3"])
            _, ((_, text), _) = client.fetch("3", "BODY[TEXT]")  # type: ignore[misc]
            assert text.startswith(b"Hi Linda,\r\n")
            client.store("1:*", "+FLAGS", "\\Deleted")
            client.expunge()
        process.send_signal(signal.SIGINT)
        _, noise = process.communicate(timeout=20)
        assert (process.returncode, noise) == (0, "")
    assert not list(tmp_path.iterdir())


def test_the_version_is_printed() -> None:
    assert mektup("--version").stdout.startswith("mektup 0.")


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@as_root
def test_an_account_that_root_adds_belongs_to_the_owner_of_the_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 12345, 12345)
    done = mektup("user", "add", "linda", "--password-stdin", "--data", str(data), typed="secret\n")
    assert (done.status, done.stderr) == (0, "")
    assert mektup("user", "passwd", "linda", "--password-stdin", "--data", str(data), typed="new\n").status == 0
    assert {path.lstat().st_uid for path in data.rglob("*")} == {12345}


@as_root
def test_root_is_advised_to_change_the_owner_of_a_new_data_directory(tmp_path: Path) -> None:
    add = ("user", "add", "--password-stdin", "--data", str(tmp_path / "data"))
    assert f"chown -R USER {tmp_path / 'data'}" in mektup(*add, "linda", typed="secret\n").stderr
    assert mektup(*add, "fred", typed="secret\n").stderr == ""


def test_a_wrong_data_directory_is_explained_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "photos").mkdir(parents=True)
    for place, words in (
        ("nowhere", "is not there; "),
        ("file", "is not a directory; "),
        ("folder", "has no accounts of mektup; "),
    ):
        done = mektup("user", "list", "--names", "--data", str(tmp_path / place))
        assert (done.status, done.stdout) == (1, "")
        assert f"{place} {words}--data or --config names the directory of the accounts" in done.stderr
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["photos"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "import", "nowhere", "--data", "data"),
        ("user", "import", ".", "--data", "data"),
        ("user", "add", "linda", "--password-stdin", "--data", "file"),
        ("user", "add", "linda", "--password-stdin", "--data", "file/below"),
        ("user", "list", "--config", "nowhere"),
        ("user", "list", "--config", "."),
        ("user", "list", "--config", "file"),
        ("user", "list", "--names", "--data", "damaged"),
        ("user", "add", "linda", "--password-stdin", "--data", "damaged"),
        ("user", "passwd", "linda", "--password-stdin", "--data", "damaged"),
        ("serve", "--config", "nowhere"),
        ("serve", "--config", "latin"),
        ("serve", "--data", "damaged"),
        ("serve", "--data", "file"),
    ],
)
def test_no_mistake_of_a_user_ends_in_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "latin").write_bytes(b"# \xe7\n")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "mektup.db").write_bytes(b"no database" * 1000)
    done = mektup(*arguments, typed="Pa$$123\n", where=tmp_path)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.startswith("mektup: ")
    assert done.stderr.count("\n") == 1


def _alone(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs mektup in a child process, for tests of its standard streams."""
    return subprocess.run([*MEKTUP, *arguments], capture_output=True, timeout=30, **options)


def test_without_a_terminal_or_standard_input_a_password_has_no_way_in(tmp_path: Path) -> None:
    data = str(tmp_path)
    asked = _alone("user", "add", "linda", "--data", data, stdin=subprocess.DEVNULL, start_new_session=True)
    assert asked.returncode == 1
    assert b"there is no terminal to ask for the password; --password-stdin takes it from a pipe" in asked.stderr
    closed = _alone("user", "import", "-", "--data", data, preexec_fn=partial(os.close, 0))
    assert (closed.returncode, closed.stderr) == (1, b"mektup: standard input is closed\n")


def test_a_name_is_utf8_whatever_the_locale_is(tmp_path: Path) -> None:
    locale = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    data = str(tmp_path)
    added = _alone("user", "add", "çiğdem", "--password-stdin", "--data", data, input=b"x\n", env=locale)
    assert added.returncode == 0
    assert mektup("user", "list", "--names", "--data", data).stdout == "çiğdem\n"
    listed = _alone("user", "list", "--names", "--data", data, env={**locale, "PYTHONIOENCODING": "latin-1"})
    assert (listed.returncode, listed.stdout) == (0, b"\xe7i\\u011fdem\n")
    wrong = _alone("user", "remove", b"\xe7".decode("utf-8", "surrogateescape"), "--yes", "--data", data, env=locale)
    assert wrong.returncode == 2
    assert b"the name is not UTF-8" in wrong.stderr


@as_root
def test_root_is_told_to_give_away_all_that_is_new(tmp_path: Path) -> None:
    data = tmp_path / "over there" / "data"
    for told in (f"chown -R USER '{data.parent}'\n", ""):
        done = mektup("user", "add", f"user{len(told)}", "--password-stdin", "--data", str(data), typed="x\n")
        assert done.status == 0
        assert done.stderr.endswith(told)
        assert bool(done.stderr) is bool(told)


@as_root
@pytest.mark.parametrize(
    "arguments",
    [("user", "list", "--names", "--data", "DIR"), ("user", "list", "--config", "FILE"), ("user", "import", "FILE")],
)
def test_a_file_that_may_not_be_read_is_named_with_its_owner(arguments: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(prefix="mektup-") as place:  # pytest's directories are closed to other users
        os.chmod(place, 0o755)
        file, directory = Path(place, "file"), Path(place, "data")
        file.touch(0o600)
        directory.mkdir(0o700)
        names = {"DIR": str(directory), "FILE": str(file)}
        os.seteuid(12345)
        try:
            done = mektup(*(names.get(word, word) for word in arguments), where=Path("/"))
        finally:
            os.seteuid(0)
        assert done.status == 1
        refused = directory if "DIR" in arguments else file
        assert f"{refused}: Permission denied; it belongs to root, mektup runs as user 12345" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('[listen]\nlmtp = ["no.such.invalid:0"]', "listen.lmtp: cannot listen at no.such.invalid:0: "),
        ('[listen]\nimap = ["unix:server.toml"]', "listen.imap: cannot listen at unix:"),
        ('[tls]\ncert = "nowhere.crt"', "tls: "),
        ('data = "server.toml"', "data: "),
        ("workers = -1", "workers: expected "),
    ],
)
def test_errors_of_serve_name_file_and_key(tmp_path: Path, workers: int, lines: str, words: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(lines if lines.startswith("workers") else f"workers = {workers}\n{lines}")
    done = subprocess.run([*MEKTUP, "serve", "--config", "server.toml"], cwd=tmp_path, capture_output=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(f"mektup: {file}: {words}")
    assert done.stderr.count(b"\n") == 1


def test_a_hangup_while_the_server_starts_does_not_end_it(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    os.mkfifo(file)  # a pipe: the command opens it, and goes on when the test writes to it
    log = tmp_path / "log"
    with log.open("wb") as stderr, subprocess.Popen([*MEKTUP, "serve", "--config", file], stderr=stderr) as process:
        with file.open("w") as writing:
            process.send_signal(signal.SIGHUP)
            writing.write("workers = -1\n")
        assert process.wait(timeout=30) == 1
    assert "workers: expected" in log.read_text()


def test_capabilities_are_hidden_from_an_account(tmp_path: Path) -> None:
    options = ("--data", str(tmp_path / "data"))
    assert mektup("user", "add", "linda", "--password-stdin", *options, typed="Pa$$123\n").status == 0
    done = mektup("user", "hide", "linda", "idle", "COMPRESS=DEFLATE", *options)
    assert done.stdout == "hidden from linda: COMPRESS=DEFLATE IDLE\n"
    assert mektup("user", "hide", "LINDA", *options).stdout == "nothing is hidden from LINDA\n"
    done = mektup("user", "hide", "linda", "IMAP4rev1", *options)
    assert done.status == 2
    assert "IMAP4rev1 cannot be hidden; what can be is " in done.stderr
    assert mektup("user", "hide", "nobody", "IDLE", *options).stderr == "mektup: there is no account nobody\n"
