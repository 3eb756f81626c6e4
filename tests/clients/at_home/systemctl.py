"""Does what ``systemctl`` does with mektup and Postfix, without systemd. Run as a program, as root.

mektup is started as its unit says: its user, its capabilities, its directories. ``tests/cli/confined.py`` has the
restrictions.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

UNIT = Path("/etc/systemd/system/mektup.service")
LOG, PID = Path("/var/log/mektup.log"), Path("/mnt/mektup.pid")
SECONDS = 60.0


def settings() -> dict[str, str]:
    """The last value of each setting in the section [Service]."""
    section = UNIT.read_text(encoding="utf-8").partition("[Service]")[2].partition("\n[")[0]
    pairs = (line.partition("=") for line in section.splitlines() if not line.startswith("#"))
    return {name: value for name, equals, value in pairs if equals}


def start() -> None:
    """Starts mektup, and returns when it says that it is ready."""
    unit = settings()
    user = unit["User"]
    for setting, above in (("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")):
        for name in unit.get(setting, "").split():
            place = Path(above, name)
            place.mkdir(parents=True, exist_ok=True)
            shutil.chown(place, user, user)
            place.chmod(int(unit[f"{setting}Mode"], 8))
    kept = f"-all,+{unit['AmbientCapabilities'].removeprefix('CAP_').lower()}"
    groups = ["--init-groups"]
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", *groups, f"--inh-caps={kept}"]
    command += [f"--ambient-caps={kept}", f"--bounding-set={kept}", "--no-new-privs"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, LOG.open("ab") as log:
        notify.bind("\0at-home")
        notify.settimeout(SECONDS)
        server = subprocess.Popen(
            [*command, *shlex.split(unit["ExecStart"])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "NOTIFY_SOCKET": "@at-home"},
            start_new_session=True,
        )
        PID.write_text(str(server.pid))
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
        except TimeoutError:
            sys.exit(f"mektup did not start:\n{LOG.read_text(encoding='utf-8')}")


def stop() -> None:
    """Ends mektup, and returns when it has ended."""
    pid = int(PID.read_text())
    os.kill(pid, 15)
    ends = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        if time.monotonic() > ends:
            sys.exit("mektup did not stop")
        time.sleep(0.05)


def postfix(*words: str) -> None:
    """What Debian's postfix.service does."""
    subprocess.run(["/usr/lib/postfix/configure-instance.sh", "-"], check=True)
    subprocess.run(["postfix", *words], check=True)


def main() -> None:
    """Obeys the arguments."""
    match sys.argv[1:]:
        case ["daemon-reload"]:
            subprocess.run(["systemd-analyze", "verify", str(UNIT)], check=True)
        case ["enable", "--now", "mektup"] | ["start", "mektup"]:
            start()
        case ["stop", "mektup"]:
            stop()
        case ["restart", "postfix"]:
            subprocess.run(["postfix", "stop"], check=False, capture_output=True)
            postfix("start")
        case ["reload", "postfix"]:
            postfix("reload")
        case other:
            sys.exit(f"systemctl {other}: not known here")


if __name__ == "__main__":
    main()
