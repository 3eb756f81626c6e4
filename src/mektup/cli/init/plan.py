"""What ``mektup init`` does on a machine, in order, and what it leaves to the operator."""

from __future__ import annotations

import dataclasses
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from mektup.cli.init import postfix, texts
from mektup.cli.init.config_file import certificate_hook, config_text, rotation
from mektup.cli.init.found import Machine
from mektup.cli.init.steps import State, Step, called, data_directory, group_of, user, written
from mektup.cli.init.unit import unit
from mektup.server import config as configuration
from mektup.server.certificate_files import group_with_access
from mektup.server.config import Config
from mektup.terms.texts import Text

UNITS = Path("/etc/systemd/system")
RUNNING = Path("/run/systemd/system")
"""The directory is there while systemd is the first process."""

HOOKS = Path("/etc/letsencrypt/renewal-hooks/deploy")
COPIES = Path("/etc/mektup")
"""Where copies of a pair of certbot are, which the service's user may read."""

ROTATIONS = Path("/etc/logrotate.d")
FAIL2BAN = Path("/etc/fail2ban")
FAIL2BAN_FILES = ("filter.d/mektup.conf", "jail.d/mektup.conf")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps, and the configuration that the server has after them."""

    steps: tuple[Step, ...]
    config: Config
    warnings: tuple[Text, ...]
    next: tuple[tuple[Text, tuple[str, ...]], ...]
    """Commands that the operator gives, each group with what it is for."""


def plan(machine: Machine, file: Path, data: Path) -> Plan:
    """The plan for a server whose configuration is in *file*; an existing one counts. Raises ConfigError."""
    copied = _copies(machine)
    cert, key = _pair(machine, copied)
    exists = file.exists()
    text = config_text(data, machine.hostname, cert, key, file, postfix=machine.postfix)
    config = configuration.load(file) if exists else configuration.parsed(text, file)
    assert config.data is not None
    steps = [
        user(machine.user, config.data, exists=machine.user_exists),
        data_directory(config.data, machine.user),
        *_certificate_steps(machine, copied, config),
        written(texts.STEP_CONFIG.of(file=file), file, text, keep=True),
        *_service_steps(machine, config, file),
    ]
    return Plan(
        steps=tuple(steps),
        config=config,
        warnings=tuple(_warnings(machine, config)),
        next=tuple(_next(machine, config, file)),
    )


def _copies(machine: Machine) -> Path | None:
    """The directory for copies of the pair; None where the user may read the pair itself, or there is none."""
    pair = machine.pair
    if pair is None or pair.renewed_by is None or pair.group is not None or is_open(pair.key):
        return None
    return COPIES


def _pair(machine: Machine, copied: Path | None) -> tuple[Path | None, Path | None]:
    pair = machine.pair
    if pair is None:
        return None, None
    return (pair.cert, pair.key) if copied is None else (copied / pair.cert.name, copied / pair.key.name)


def _certificate_steps(machine: Machine, copied: Path | None, config: Config) -> Iterator[Step]:
    pair = machine.pair
    if copied is None or pair is None or config.cert != copied / pair.cert.name:
        return
    hook = HOOKS / "mektup"
    text = certificate_hook(pair.cert.parent, copied, machine.user)
    yield written(texts.STEP_HOOK.of(file=hook), hook, text, 0o755)
    same = all(_same(each, copied / each.name) for each in (pair.cert, pair.key))
    yield called(texts.STEP_COPIES.of(directory=copied), str(hook), done=same)


def _service_steps(machine: Machine, config: Config, file: Path) -> Iterator[Step]:
    if machine.systemd:
        path = UNITS / "mektup.service"
        made = written(texts.STEP_UNIT.of(file=path), path, unit(machine, config, file, key_group(config)))
        yield made
        if made.state is not State.DONE and RUNNING.is_dir():
            yield called(texts.STEP_RELOAD, "systemctl", "daemon-reload")
    if machine.logrotate and config.log_file is not None:
        text = rotation(config.log_file, machine.user, group_of(machine.user))
        yield written(texts.STEP_ROTATION.of(file=ROTATIONS / "mektup"), ROTATIONS / "mektup", text)
    if machine.fail2ban:
        for name in FAIL2BAN_FILES:
            source = Path(sys.prefix, "share", "mektup", "fail2ban", name)
            if source.is_file():
                target = FAIL2BAN / name
                yield written(texts.STEP_FAIL2BAN.of(file=target), target, source.read_text("utf-8"), keep=True)


def key_group(config: Config) -> str | None:
    """The group that the service needs to read its key; None where it needs none."""
    key = config.key or config.cert
    if key is None or key.is_relative_to(COPIES) or is_open(key):
        return None
    from_key = group_with_access(key)
    return None if from_key in (None, "root") else from_key


def _warnings(machine: Machine, config: Config) -> Iterator[Text]:
    key = config.key or config.cert
    if key is None:
        yield texts.SELF_SIGNED.of(name=config.hostname)
    elif key.exists() and not key.is_relative_to(COPIES) and key_group(config) is None and not is_open(key):
        yield texts.KEY_CLOSED.of(file=key, user=machine.user)
    if "." not in config.hostname:
        yield texts.NO_WHOLE_NAME.of(name=config.hostname)
    # a script needs its interpreter, too
    for program in (machine.command[0], sys.executable):
        if not is_open(Path(program)):
            yield texts.COMMAND_CLOSED.of(file=Path(program).resolve(), user=machine.user)
            break
    if not machine.systemd:
        yield texts.NO_SYSTEMD.of(command=f"{machine.quoted} serve")


def _next(machine: Machine, config: Config, file: Path) -> Iterator[tuple[Text, tuple[str, ...]]]:
    command = machine.quoted
    yield texts.NEXT_USER, (f"{command} user add linda --config {file}",)
    if machine.systemd:
        yield texts.NEXT_START, (f"{command} serve --check --config {file}", "systemctl enable --now mektup")
    if machine.postfix:
        yield texts.NEXT_POSTFIX, tuple(postfix.commands(config, machine, postfix.own_name()))
    if machine.fail2ban:
        yield texts.NEXT_FAIL2BAN, ("fail2ban-client reload",)


def is_open(path: Path) -> bool:
    """Whether every user may read *path*."""
    try:
        above = all(each.stat().st_mode & stat.S_IXOTH for each in (*path.parents, *path.resolve().parents))
        return above and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:
        return False
