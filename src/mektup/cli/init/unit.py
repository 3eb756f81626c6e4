"""The unit of systemd: it starts the server as its own user, who may do nothing but serve mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mektup.cli.init import texts
from mektup.cli.init.found import Machine
from mektup.cli.language import told
from mektup.server.config import Config

STATE, LOGS, RUNTIME = Path("/var/lib"), Path("/var/log"), Path("/run")
"""Below these directories, systemd makes a directory for a service and gives it to the service's user."""

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))

MOST_OPEN_FILES = 262_144
STOP_MORE_SECONDS = 20
"""So long after ``limits.stop_seconds`` systemd kills what is left."""

RESTRICTIONS = """
# The user may do nothing but serve mail: bind the ports of mail, and write below its own directories.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
PrivateDevices=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
UMask=0077
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""


def unit(machine: Machine, config: Config, file: Path, group: str | None) -> str:
    """The text of ``mektup.service`` for the server of *config*, which is in *file*.

    *group* may read the key of the certificate; None where the user needs no group for that.
    """
    return "\n".join(_lines(machine, config, file, group)).strip() + "\n"


def _lines(machine: Machine, config: Config, file: Path, group: str | None) -> Iterator[str]:
    yield from (f"# {line}" for line in told(texts.UNIT_HEAD).splitlines())
    yield "[Unit]"
    yield "Description=mektup, a server for mail (IMAP, POP3, LMTP)"
    yield "Wants=network-online.target"
    yield "After=network-online.target nss-lookup.target"
    yield ""
    yield "[Service]"
    yield "Type=notify"
    called = (*machine.command, "serve", "--config", str(file))
    yield f"ExecStart={' '.join(word(each).replace('$', '$$') for each in called)}"
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield f"User={machine.user}"
    if group is not None:
        yield f"SupplementaryGroups={group}"
    yield "Restart=on-failure"
    yield "RestartSec=2"
    yield "KillMode=mixed"
    yield "TimeoutStartSec=300"
    yield f"TimeoutStopSec={int(config.limits.stop_seconds) + STOP_MORE_SECONDS}"
    yield "WatchdogSec=60"
    yield f"LimitNOFILE={MOST_OPEN_FILES}"
    yield ""
    yield from directories(config)
    yield from _hidden_places(machine, config, file)
    yield RESTRICTIONS.rstrip("\n")
    yield ""
    yield "[Install]"
    yield "WantedBy=multi-user.target"


def directories(config: Config) -> Iterator[str]:
    """The settings for what the server writes: its mail, its sockets, the file of its log."""
    assert config.data is not None
    writable: list[Path] = []
    if (state := _below(config.data, STATE)) is not None:
        yield f"StateDirectory={word(str(state))}"
        yield "StateDirectoryMode=0700"
    else:
        writable.append(config.data)
    runtime: list[str] = []
    for endpoints in config.listen.values():
        for path in (each.path for each in endpoints if each.path is not None):
            below = _below(path.parent, RUNTIME)
            if below is None:
                writable.append(path.parent)
            elif str(below) not in runtime:
                runtime.append(str(below))
    if runtime:
        yield f"RuntimeDirectory={' '.join(map(word, runtime))}"
        yield "RuntimeDirectoryMode=0750"
    if config.log_file is not None:
        logs = _below(config.log_file.parent, LOGS)
        if logs is not None:
            yield f"LogsDirectory={word(str(logs))}"
            yield "LogsDirectoryMode=0750"
        else:
            writable.append(config.log_file.parent)
    if writable:
        yield f"ReadWritePaths={' '.join(dict.fromkeys(word(str(each)) for each in writable))}"


def _hidden_places(machine: Machine, config: Config, file: Path) -> Iterator[str]:
    """Homes and other programs' temporary files are hidden, unless something that the server needs is there."""
    named = (config.data, config.cert, config.key, config.log_file, file, *map(Path, machine.command))
    needed = [each for each in named if each is not None and each.is_absolute()]
    yield f"ProtectHome={'read-only' if _is_in(needed, HOMES) else 'yes'}"
    yield f"PrivateTmp={'no' if _is_in(needed, TEMPORARY) else 'yes'}"


def _is_in(needed: list[Path], places: tuple[Path, ...]) -> bool:
    return any(each.is_relative_to(place) for each in needed for place in places)


def _below(path: Path, place: Path) -> Path | None:
    """*path* relative to *place*; None where it is not below it."""
    return path.relative_to(place) if path != place and path.is_relative_to(place) else None


def word(text: str) -> str:
    """*text* as one word of a setting of a unit (systemd.syntax(7), systemd.unit(5) on specifiers)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(each.isspace() or each in "\"';\\" for each in text) else escaped
