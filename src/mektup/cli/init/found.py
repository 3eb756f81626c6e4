"""What can be found out about this machine, so that ``mektup init`` need not ask for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mektup.cli.init.certificates import CERTBOT, best, pairs
from mektup.server.certificate_files import CertificatePair
from mektup.server.hostnames import names_of_this_machine, objection_to_hostname
from mektup.store import system

USUAL_USER = "mektup"
LABELS_OF_A_HOST = 3
"""A name of so many labels, such as mail.example.org, is a host in a domain; a shorter one is a domain itself."""

CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a machine has."""

    hostname: str
    domain: str
    """The part after the "@" of the addresses."""
    pair: CertificatePair | None
    """The certificate for *hostname*; None if there is none."""
    user: str
    """Who runs the server."""
    user_exists: bool
    command: tuple[str, ...]
    """The command ``mektup`` with its whole path, in words."""
    systemd: bool
    """Whether systemd starts the services."""
    postfix: bool
    fail2ban: bool
    logrotate: bool

    @property
    def quoted(self) -> str:
        """The command for a shell."""
        return shlex.join(self.command)


def look(
    data: Path,
    *,
    hostname: str | None = None,
    domain: str | None = None,
    user: str | None = None,
    given: CertificatePair | None = None,
    root: Path = Path("/"),
) -> Machine:
    """Looks at the system below *root*; what is not None is known already."""
    name = hostname or found_hostname(root)
    who = user or owner_of(data) or USUAL_USER
    return Machine(
        hostname=name,
        domain=domain or domain_of(name),
        pair=given or best(pairs(root), name),
        user=who,
        user_exists=system.user_named(who) is not None,
        command=own_command(),
        systemd=(root / "run/systemd/system").is_dir() or shutil.which("systemctl") is not None,
        postfix=shutil.which("postconf", path=_PROGRAMS) is not None,
        fail2ban=(root / "etc/fail2ban/filter.d").is_dir(),
        logrotate=(root / "etc/logrotate.d").is_dir(),
    )


def found_hostname(root: Path) -> str:
    """The first whole name: of this machine, of Postfix, of the only certificate; else this machine's short name."""
    for name in _names(root):
        if "." in name and not name.startswith("localhost") and objection_to_hostname(name) is None:
            return name.lower()
    short = names_of_this_machine()[0]
    return short if objection_to_hostname(short) is None else "localhost"


def _names(root: Path) -> Iterator[str]:
    yield from names_of_this_machine()
    yield said_by("postconf", "-h", "myhostname")
    named = [each.parent.name for each in (root / CERTBOT).glob("*/fullchain.pem")]
    if len(named) == 1:
        yield named[0]


def domain_of(hostname: str) -> str:
    """``example.org`` of ``mail.example.org``."""
    labels = hostname.split(".")
    return ".".join(labels[1:]) if len(labels) >= LABELS_OF_A_HOST else hostname


def owner_of(data: Path) -> str | None:
    """The user whose data directory this is; None where there is none, or where root made it."""
    try:
        uid = data.stat().st_uid
    except OSError:
        return None
    name = system.user_name(uid)
    return name if uid != 0 and system.user_named(name) is not None else None


def own_command() -> tuple[str, ...]:
    """How this program is called, with whole paths."""
    called = shutil.which(sys.argv[0])
    if called is not None and os.path.basename(called) == "mektup":
        return (os.path.abspath(called),)
    return (sys.executable, "-m", "mektup")


def said_by(*words: str) -> str:
    """The first line that a command prints; empty where it fails or is missing."""
    program = shutil.which(words[0], path=_PROGRAMS)
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


_PROGRAMS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
"""Where programs of administrators are, too, which the path of a user may lack."""
