"""Does what systemd does with a unit, as far as this goes without systemd as the first process.

As a program, it runs in its own namespaces of mounts and network, as root: it runs ``mektup init``, starts the server
as the unit says, and uses it. It prints what it saw as one JSON object.
"""

from __future__ import annotations

import ctypes
import fcntl
import imaplib
import json
import os
import re
import shlex
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

UNIT = Path("/etc/systemd/system/mektup.service")
CONFIG = Path("/etc/mektup.toml")
DATA = Path("/var/lib/mektup")
SECONDS = 50.0

KERNELS = ("/proc", "/sys", "/dev")
"""ProtectSystem=strict leaves these to other settings."""

SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
"""prctl(2) since Linux 6.3: what MemoryDenyWriteExecute does, by the kernel itself."""

LOOPBACK_UP = 0x8914, b"lo", 0x1
"""The ioctl SIOCSIFFLAGS with IFF_UP."""


def settings(unit: Path) -> dict[str, list[str]]:
    """The settings of the section [Service], each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().partition("[Service]")[2].partition("\n[")[0].splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def system_calls(groups: list[str]) -> set[str]:
    """The names that SystemCallFilter allows: groups are resolved by systemd-analyze."""
    allowed: set[str] = set()
    for value in groups:
        names = {name for group in value.lstrip("~").split() for name in _members(group)}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def _members(group: str) -> Iterator[str]:
    if not group.startswith("@"):
        yield group
        return
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    for line in said.stdout.splitlines()[1:]:
        if name := line.partition("#")[0].strip():
            yield from _members(name)


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


ALLOW, EQUAL = 0x7FFF0000, 4


def confine(names: list[str], families: list[str]) -> None:
    """Allows this process and its children only these system calls and address families, and no code that is made."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    refuse = 0x00050000 | 1  # EPERM
    context = ctypes.c_void_p(library.seccomp_init(refuse))
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and name != "socket":
            assert library.seccomp_rule_add(context, ALLOW, number, 0) == 0, name
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        compare = _Compare(0, EQUAL, getattr(socket, family), 0)
        assert library.seccomp_rule_add_array(context, ALLOW, number, 1, ctypes.byref(compare)) == 0
    assert library.seccomp_load(context) == 0
    assert ctypes.CDLL(None).prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "PR_SET_MDWE"


def start(unit: dict[str, list[str]], notify: str) -> subprocess.Popen[str]:
    """Starts the server as *unit* says; it tells its state to the abstract address *notify*."""
    (user,) = unit["User"]
    (capability,) = unit["AmbientCapabilities"]
    kept = f"-all,+{capability.removeprefix('CAP_').lower()}"
    setpriv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", f"--inh-caps={kept}"]
    setpriv += [f"--ambient-caps={kept}", f"--bounding-set={kept}", "--no-new-privs"]
    calls = sorted(system_calls(unit["SystemCallFilter"]))
    families = unit["RestrictAddressFamilies"][0].split()
    inside = [sys.executable, str(Path(__file__)), "--confine", json.dumps([calls, families])]
    return subprocess.Popen(
        [*setpriv, *inside, *shlex.split(unit["ExecStart"][0])],
        stderr=subprocess.PIPE,
        text=True,
        umask=int(unit["UMask"][0], 8),
        env={**os.environ, "NOTIFY_SOCKET": f"@{notify}", "HOME": "/nonexistent"},
    )


def runtime_directories(unit: dict[str, list[str]]) -> list[Path]:
    """Makes the directories below /run that *unit* asks for, and returns them."""
    (user,) = unit["User"]
    made = [Path("/run", name) for value in unit.get("RuntimeDirectory", []) for name in value.split()]
    for path in made:
        path.mkdir(parents=True)
        shutil.chown(path, user, user)
        path.chmod(int(unit["RuntimeDirectoryMode"][0], 8))
    return made


def protect(*writable: Path) -> None:
    """Makes all mounts read-only but *writable* and those of the kernel."""
    for each in writable:
        subprocess.run(["mount", "--bind", each, each], check=True)
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in map(_unescaped, places):
        if Path(place) not in writable and not place.startswith(KERNELS):
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True, capture_output=True)


def _unescaped(place: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)


def mektup(*words: str, typed: str = "") -> str:
    command = Path(sys.executable).with_name("mektup")
    done = subprocess.run([command, *words], input=typed, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def states() -> dict[str, tuple[int, int]]:
    """Inode and time of change of each file that init writes."""
    return {str(each): (each.stat().st_ino, each.stat().st_mtime_ns) for each in (UNIT, CONFIG)}


def use() -> dict[str, Any]:
    """Logs in, with TLS and without, stores a message, takes in another one, and finds both."""
    plain = imaplib.IMAP4("127.0.0.1", 143, timeout=SECONDS)
    plain.login("linda", "Pa$$123")
    assert plain.append("INBOX", None, None, b"Subject: one\r\n\r\nhello\r\n")[0] == "OK"
    with smtplib.LMTP("127.0.0.1", 24) as lmtp:
        lmtp.sendmail("ada@example.org", ["linda@example.org"], b"Subject: two\r\n\r\nhello\r\n")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    encrypted = imaplib.IMAP4_SSL("::1", 993, ssl_context=context, timeout=SECONDS)
    encrypted.login("linda", "Pa$$123")
    encrypted.select("INBOX")
    found = encrypted.search(None, "TEXT", "hello")[1][0].decode()
    who = mektup("who", "--config", str(CONFIG))
    plain.logout()
    encrypted.logout()
    return {"found": found, "sessions": who.count("linda")}


def drive() -> dict[str, Any]:
    """Makes a server of this system, and uses it."""
    # this network has only its loopback, and nobody else's ports
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request, name, up = LOOPBACK_UP
        fcntl.ioctl(any_socket, request, struct.pack("16sh14x", name, up))
    first = mektup("init", "--yes", "--hostname", "mail.example.org")
    before = states()
    second = mektup("init")
    same = states() == before
    mektup("user", "add", "linda", "--password-stdin", "--config", str(CONFIG), typed="Pa$$123\n")
    protect(DATA, *runtime_directories(settings(UNIT)))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("\0mektup-notify")
    notify.settimeout(SECONDS)
    server = start(settings(UNIT), "mektup-notify")
    assert server.stderr is not None
    try:
        try:
            said = [notify.recv(4096).decode()]
        except TimeoutError:
            server.kill()
            raise AssertionError(server.stderr.read()) from None
        seen = use()
        server.send_signal(signal.SIGHUP)
        said += [notify.recv(4096).decode() for _ in range(2)]
        capabilities = Path(f"/proc/{server.pid}/status").read_text()
        server.terminate()
        said.append(notify.recv(4096).decode())
        status = server.wait(SECONDS)
    finally:
        server.kill()
    owners = sorted({(each.owner(), f"{each.stat().st_mode & 0o7777:o}") for each in (DATA, *DATA.rglob("*"))})
    return {
        **seen,
        "first": first,
        "second": second,
        "same": same,
        "said": [each.partition("\n")[0] for each in said],
        "status": status,
        "owners": owners,
        "log": server.stderr.read(),
        "limits": {
            line.partition(":")[0]: line.partition(":")[2].strip()
            for line in capabilities.splitlines()
            if line.startswith(("CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:"))
        },
    }


def main() -> None:
    if sys.argv[1] == "--confine":
        confine(*json.loads(sys.argv[2]))
        os.execv(sys.argv[3], sys.argv[3:])
    print(json.dumps(drive()))


if __name__ == "__main__":
    main()
