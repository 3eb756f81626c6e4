"""Makes a machine for docs/at-home.md of this one: own mounts, own network, own name, own processes.

Runs as root in new namespaces (``unshare``). What is written below /etc, /var, /opt, /usr/local and /run is gone when
they end. The world is missing here, so a few programs are stood in for, by scripts in ``/mnt/instead``:

- ``apt-get`` checks that the packages are installed already; there is no network.
- ``certbot`` makes a self-signed certificate where certbot would put the real one.
- ``hostnamectl`` calls ``hostname``, and ``systemctl`` does with the unit what systemd would do; systemd does not run.
- ``pip install mektup`` takes the mektup that is being tested.
- DNS: ``/etc/hosts`` has the name of the server, and Postfix sends mail for others to one address.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SERVER, OUTSIDE = "192.0.2.1", "198.51.100.7"
"""The address of the server, and that of a client on the internet; both are on this loopback."""

INSTEAD = Path("/mnt/instead")
COPIED_ON_WRITE = ("/etc", "/var", "/opt", "/usr/local", "/root")
SOURCE = Path(__file__).parents[3] / "src"

SCRIPTS = {
    "apt-get": """
case "$1" in update) exit 0;; esac
for word; do
  case "$word" in
    install|-*|certbot) ;;
    *) dpkg-query -W "$word" >/dev/null || exit 100 ;;
  esac
done
""",
    "certbot": """
while [ "$1" != -d ]; do shift; done
place=/etc/letsencrypt/live/$2
install -d -m 700 /etc/letsencrypt/live /etc/letsencrypt/renewal-hooks/deploy "$place"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \\
  -keyout "$place/privkey.pem" -out "$place/fullchain.pem" 2>/dev/null
chmod 600 "$place/privkey.pem"
""",
    "hostnamectl": '[ "$1" = set-hostname ] && exec hostname "$2"',
    "systemctl": f'exec "{sys.executable}" "{Path(__file__).with_name("systemctl.py")}" "$@"',
}

PIP = "/opt/mektup/bin/pip install mektup"
"""The line of the page that needs the network."""


def call(*words: str | Path, **more: object) -> None:
    """Runs a program, which must succeed."""
    subprocess.run([*map(str, words)], check=True, **more)  # type: ignore[call-overload]


def make() -> None:
    """Makes the machine of this process and its children."""
    call("mount", "-t", "tmpfs", "tmpfs", "/mnt")
    for number, place in enumerate(COPIED_ON_WRITE):
        upper, work = Path(f"/mnt/{number}/upper"), Path(f"/mnt/{number}/work")
        upper.mkdir(parents=True)
        work.mkdir()
        options = f"lowerdir={place},upperdir={upper},workdir={work}"
        call("mount", "-t", "overlay", "overlay", "-o", options, place)
    call("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    call("ip", "link", "set", "lo", "up")
    for address in (SERVER, OUTSIDE):
        call("ip", "address", "add", f"{address}/32", "dev", "lo")
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write(f"{SERVER} mail.example.org\n")
    # nobody answers here, and Postfix would wait
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
    INSTEAD.mkdir()
    for name, script in SCRIPTS.items():
        _write_program(INSTEAD / name, f"#!/bin/sh\n{script.strip()}\n")
    os.environ["PATH"] = f"{INSTEAD}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ.update(HOME="/root", LC_ALL="C.UTF-8", USER="root")
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        os.environ.pop(name, None)


def install_mektup() -> None:
    """What ``pip install mektup`` would do: the packages of this Python, and this mektup, become those of /opt/mektup.

    They are mounted, because another user may be unable to pass the directories above them.
    """
    (packages,) = Path("/opt/mektup/lib").glob("python3.*/site-packages")
    call("mount", "--bind", sysconfig.get_paths()["purelib"], packages)
    source = Path("/opt/mektup/src")
    source.mkdir()
    call("mount", "--bind", SOURCE, source)
    program = f"#!/opt/mektup/bin/python\nimport sys\nsys.path.insert(0, {str(source)!r})\n"
    _write_program(Path("/opt/mektup/bin/mektup"), f"{program}from mektup.cli import main\nmain()\n")


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
