"""The checks of a configuration and of the machine that it is for. None of them changes anything."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from mektup.backup.unfinished import is_unfinished
from mektup.server.certificate_files import fits, group_with_access, pair
from mektup.server.checking import texts
from mektup.server.checking.databases import databases
from mektup.server.checking.finding import Finding, failure, fine, warning
from mektup.server.checking.identity import Identity, identity, why_denied
from mektup.server.checking.ports import addresses
from mektup.server.checking.running import open_files_of, servers
from mektup.server.config import Config, ConfigError
from mektup.server.fetched import is_url
from mektup.server.hidden import Hidden
from mektup.server.store_config import Engine
from mektup.server.tls import EXPIRY_DAYS, server_context
from mektup.server.workers import workers_wanted
from mektup.store import files, system
from mektup.terms.sizes import size_shown

MIB = 1024 * 1024
LITTLE_SPACE = 1024 * MIB
"""Less free space is worth a warning."""

TOO_LITTLE_SPACE = 64 * MIB
"""With less free space a server soon refuses mail."""

FEW_FILES = 8192
"""A busy server needs more open files: one for each connection, and a few for each account."""

MOST_LOOKED_AT = 100_000
"""How many files of the data directory are looked at."""

SECONDS_AHEAD = 300.0
"""A file that is so much newer than the clock was written when the clock was ahead, or the clock has gone back."""


def check(config: Config) -> Iterator[Finding]:
    """All findings, good ones too. Raises OSError where the system refuses to tell."""
    assert config.data is not None
    who = identity(config.data)
    running = servers(config.data)
    yield fine("serve", texts.IS_RUNNING.of(process=running[0]) if running else texts.NOT_RUNNING.of(user=who.name))
    yield from _settings(config)
    yield from data_directory(config.data, who, has_mail=config.store.engine is Engine.SQLITE)
    yield from databases(config.store)
    yield from disk(config.data)
    yield from certificates(config, who)
    yield from other_files(config, who)
    yield from addresses(config, who, running)
    yield from open_files(running, workers_wanted(config))
    yield from clock(config.data)


def _settings(config: Config) -> Iterator[Finding]:
    try:
        Hidden(config.hide)
    except ConfigError as error:
        yield failure("hide", texts.AS_SAID.of(problem=error.text))


def data_directory(data: Path, who: Identity, *, has_mail: bool = True) -> Iterator[Finding]:
    """Whether *who* may use the data directory and what is in it; *has_mail*: it has the accounts."""
    mending = f"install -d -m 700 -o {who.name} {shlex.quote(str(data))}"
    if not data.exists():
        (denied,) = why_denied(who, [(data, True)])
        yield warning("data", texts.NO_DATA.of(directory=data)) if denied is None else failure("data", denied, mending)
        return
    if not data.is_dir():
        yield failure("data", texts.NO_DIRECTORY.of(directory=data))
        return
    (denied,) = why_denied(who, [(data, True)])
    if denied is not None:
        yield failure("data", denied, f"chown -R {who.name}: {shlex.quote(str(data))}")
        return
    foreign = [(path, status.st_uid) for path, status in _inside(data) if status.st_uid != who.uid]
    if foreign:
        path, owner = foreign[0]
        what = texts.FOREIGN.of(count=len(foreign), file=path, owner=system.user_name(owner), user=who.name)
        yield failure("data", what, f"chown -R {who.name}: {shlex.quote(str(data))}")
    if is_unfinished(data):
        yield failure("data", texts.UNFINISHED.of(directory=data), texts.CONTINUE_RESTORE)
        return
    for each in files.open_to_others(data):
        yield warning("data", texts.OPEN.of(file=each), f"chmod -R go-rwx {shlex.quote(str(data))}")
    if has_mail and not (data / "mektup.db").exists():
        yield warning("data", texts.NO_ACCOUNTS.of(directory=data), texts.ADD_ONE)
    elif not foreign:
        yield fine("data", texts.DATA_FINE.of(directory=data, user=who.name))


def _inside(data: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in *data*, as far as it is looked at, with its status."""
    paths = (Path(directory, name) for directory, below, names in os.walk(data) for name in (*below, *names))
    for path in islice(paths, MOST_LOOKED_AT):
        # a running server removes files meanwhile
        with contextlib.suppress(FileNotFoundError):
            yield path, path.lstat()


def disk(data: Path) -> Iterator[Finding]:
    """The space, for mail that comes."""
    there = next(each for each in (data, *data.parents) if each.exists())
    if system.is_read_only(there):
        yield failure("disk", texts.READ_ONLY.of(directory=there))
        return
    free = shutil.disk_usage(there).free
    if not system.has_file_numbers(there):
        yield failure("disk", texts.NO_INODES.of(directory=there))
    if free < TOO_LITTLE_SPACE:
        yield failure("disk", texts.DISK_FULL.of(free=size_shown(free), directory=there))
    elif free < LITTLE_SPACE:
        yield warning("disk", texts.DISK_SHORT.of(free=size_shown(free), directory=there))
    else:
        yield fine("disk", texts.DISK_FINE.of(free=size_shown(free)))


def certificates(config: Config, who: Identity) -> Iterator[Finding]:
    """The server's certificate and key, and the certificates that may have signed those of clients."""
    if config.cert is None:
        yield warning("tls", texts.SELF_SIGNED.of(name=config.hostname))
        return
    named = [each for each in (config.cert, config.key, config.clients.ca if config.clients else None) if each]
    unreadable = [denied for denied in why_denied(who, [(each, False) for each in named]) if denied is not None]
    if unreadable:
        group = group_with_access(config.key or config.cert)
        yield from (failure("tls", each, texts.JOIN_GROUP.of(group=group) if group else None) for each in unreadable)
        return
    try:
        server_context(config.cert, config.key, config.clients.ca if config.clients else None)
    except ConfigError as error:
        yield failure("tls", texts.AS_SAID.of(problem=error.text))
        return
    found, now = pair(config.cert, config.key or config.cert), datetime.now(UTC)
    assert found.begins is not None
    assert found.ends is not None
    days = (found.ends - now).days
    if found.ends < now:
        yield failure("tls", texts.ENDED.of(file=found.cert, date=f"{found.ends:%Y-%m-%d}"), texts.RENEW)
    elif found.begins > now:
        yield failure("tls", texts.NOT_BEGUN.of(file=found.cert, date=f"{found.begins:%Y-%m-%d}"), texts.SET_CLOCK)
    elif days < EXPIRY_DAYS:
        yield warning("tls", texts.ENDS_SOON.of(file=found.cert, count=days), texts.RENEW)
    else:
        yield fine("tls", texts.CERTIFICATE_FINE.of(count=days, names=", ".join(found.names)))
    if not fits(found.names, config.hostname):
        names = ", ".join(found.names) or texts.NO_NAMES
        yield warning("hostname", texts.OTHER_NAMES.of(name=config.hostname, names=names))


def other_files(config: Config, who: Identity) -> Iterator[Finding]:
    """The log's file, and the keys of an issuer of tokens."""
    if config.log_file is not None:
        (denied,) = why_denied(who, [(config.log_file, True)])
        if denied is not None:
            yield failure("log.file", denied)
    oauth = config.login.oauth
    if oauth is not None and not is_url(oauth.jwks):
        (denied,) = why_denied(who, [(Path(oauth.jwks), False)])
        if denied is not None or not Path(oauth.jwks).exists():
            yield failure("oauth.jwks", denied or texts.NOT_THERE.of(file=oauth.jwks))


def open_files(running: list[int], workers: int) -> Iterator[Finding]:
    """How many files the server may have open: that of the running one, else what this process may have."""
    most = open_files_of(running[0]) if running else system.highest_descriptors()
    if most is None:
        return
    if most < FEW_FILES:
        yield warning("open files", texts.FEW_FILES.of(most=most), texts.MORE_FILES)
    else:
        yield fine("open files", texts.FILES_FINE.of(most=most, count=workers))


def clock(data: Path) -> Iterator[Finding]:
    """The clock: dates of mail, certificates and tokens depend on it."""
    newest = max((status.st_mtime for _, status in _inside(data) if stat.S_ISREG(status.st_mode)), default=0.0)
    if newest > time.time() + SECONDS_AHEAD:
        date = datetime.fromtimestamp(newest, UTC)
        yield failure("clock", texts.CLOCK_BEHIND.of(date=f"{date:%Y-%m-%d %H:%M} UTC"), texts.SET_CLOCK)
    elif system.clock_is_synchronized() is False:
        yield warning("clock", texts.CLOCK_FREE, texts.SET_CLOCK)
    else:
        yield fine("clock", texts.CLOCK_FINE)
