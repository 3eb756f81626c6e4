"""A server runs without the calls that only Linux has: they are removed before anything is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LINUX_ONLY = """
import os, select, socket
for module, names in (
    (os, ("sched_getaffinity", "fdatasync", "posix_fallocate", "posix_fadvise", "memfd_create", "O_TMPFILE", "pipe2",
          "sendfile", "splice", "eventfd", "copy_file_range")),
    (socket, ("SOCK_NONBLOCK", "SOCK_CLOEXEC", "SOCK_SEQPACKET", "TCP_QUICKACK", "TCP_KEEPIDLE", "TCP_KEEPINTVL",
              "TCP_DEFER_ACCEPT", "TCP_USER_TIMEOUT", "SO_REUSEPORT", "SO_PEERCRED", "MSG_ERRQUEUE", "AF_NETLINK")),
    (select, ("epoll",)),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
if hasattr(os, "process_cpu_count"):
    os.process_cpu_count = os.cpu_count  # as CPython itself does where sched_getaffinity is missing
"""

NO_UVLOOP = """
import sys
sys.modules["uvloop"] = None
"""

NOT_UNIX = (
    NO_UVLOOP
    + """
for name in ("fcntl", "resource", "pwd", "grp"):
    sys.modules[name] = None
import os
for name in ("geteuid", "getuid", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW"):
    delattr(os, name)
"""
)

WINDOWS = (
    LINUX_ONLY
    + NOT_UNIX
    + """
for name in ("fchmod", "fchown", "chown", "lchown", "pread", "pwrite", "preadv", "pwritev", "statvfs", "fstatvfs"):
    if hasattr(os, name):
        delattr(os, name)
"""
)

USE = """
import imaplib, sys, threading
from mektup import Server

def use(data):
    with Server(data, users={"linda": "Pa$$123"}).in_thread() as server:
        phone = imaplib.IMAP4_SSL(*server.address("imaps"), ssl_context=server.ssl_context(), timeout=20)
        phone.login("linda", "Pa$$123")
        phone.select()
        phone.send(b"i IDLE\\r\\n")
        assert phone.readline().startswith(b"+ ")
        desk = imaplib.IMAP4(*server.address("imap"), timeout=20)
        desk.login("linda", "Pa$$123")
        assert desk.append("INBOX", None, None, b"Subject: x\\r\\n\\r\\nhello\\r\\n")[0] == "OK"
        while b" EXISTS" not in phone.readline():
            continue
        desk.select()
        assert desk.search(None, "TEXT", "hello") == ("OK", [b"1"])
        assert desk.store("1", "+FLAGS", "(\\\\Deleted)")[0] == "OK"
        assert desk.expunge() == ("OK", [b"1"])
        large = b"Subject: y\\r\\n\\r\\n" + b"0123456789abcdef\\r\\n" * 100_000
        assert desk.append("INBOX", None, None, large)[0] == "OK"
        assert desk.fetch("1", "BODY.PEEK[]")[1][0][1] == large
        desk.store("1", "+FLAGS", "(\\\\Deleted)")
        desk.expunge()
        desk.logout()
        phone.shutdown()

use(None)
"""

ON_DISK = """
use(sys.argv[1])
use(sys.argv[1])
"""

WORKERS = """
from mektup.server import config
from mektup.server.workers import workers_wanted
from pathlib import Path
import dataclasses
assert workers_wanted(dataclasses.replace(config.default(Path(sys.argv[1])), workers=4)) == 1
"""


def run(code: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        (LINUX_ONLY, USE + ON_DISK + WORKERS),
        (NO_UVLOOP, USE + ON_DISK),
        (LINUX_ONLY + NO_UVLOOP, USE + ON_DISK),
        (NOT_UNIX, USE + ON_DISK),
        (LINUX_ONLY + NOT_UNIX, USE),
        (WINDOWS, USE),
    ],
    ids=[
        "without Linux's own",
        "without uvloop",
        "without both",
        "without Unix's modules",
        "without all",
        "as on Windows",
    ],
)
def test_a_server_runs_without(tmp_path: Path, missing: str, what: str) -> None:
    run(missing + what, str(tmp_path / "data"))


def test_the_command_serves_in_one_process_without_linuxs_own(tmp_path: Path) -> None:
    (tmp_path / "mektup.toml").write_text('data = "data"\nworkers = 4\n[listen]\nimap = ["127.0.0.1:0"]\n')
    code = (
        LINUX_ONLY
        + """
import imaplib, os, re, signal, sys, threading
from mektup.server import config, run
from functools import partial
from pathlib import Path

def talk(endpoints):
    ((endpoint,),) = [found for found in endpoints.values() if found]
    def work():
        client = imaplib.IMAP4(endpoint.host, endpoint.port, timeout=20)
        client.logout()
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=work).start()

run.serve(partial(config.load, Path(sys.argv[1])), talk)
"""
    )
    run(code, str(tmp_path / "mektup.toml"))
