"""The configuration file that ``mektup init`` writes, with the keys that people change first; files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mektup.cli import toml_text
from mektup.cli.init import texts
from mektup.cli.language import told
from mektup.terms.texts import Text

LMTP = "127.0.0.1:24"
"""Where mail comes in. The port is below 1024, so no other user of the machine can take it."""

SASL, SOCKETMAP = "unix:/run/mektup/sasl", "unix:/run/mektup/socketmap"
"""Where Postfix asks who may send, and which addresses there are. The unit makes the directory for its user and group.
"""

WIDTH = 120


def config_text(
    data: Path, hostname: str, cert: Path | None, key: Path | None, file: Path, *, postfix: bool = False
) -> str:
    """The text of *file*. *postfix*: whether the machine has Postfix, which then asks mektup."""
    return "\n".join(_lines(data, hostname, cert, key, file, postfix)) + "\n"


def _lines(data: Path, hostname: str, cert: Path | None, key: Path | None, file: Path, postfix: bool) -> Iterator[str]:
    yield from remark(texts.CONFIG_HEAD.of(file=file))
    yield ""
    yield from remark(texts.CONFIG_DATA)
    yield _setting("data", str(data))
    yield from remark(texts.CONFIG_HOSTNAME)
    yield _setting("hostname", hostname)
    yield from remark(texts.CONFIG_COMPRESSION)
    yield "compression = 3"
    yield ""
    yield from remark(texts.CONFIG_LISTEN)
    yield "[listen]"
    yield 'imap = ["*:143"]'
    yield 'imaps = ["*:993"]'
    yield '# pop3s = ["*:995"]'
    yield from remark(texts.CONFIG_LMTP)
    yield _setting("lmtp", [LMTP])
    yield from remark(texts.CONFIG_POSTFIX)
    mark = "" if postfix else "# "
    yield mark + _setting("sasl", [SASL])
    yield mark + _setting("socketmap", [SOCKETMAP])
    yield from remark(texts.CONFIG_METRICS)
    yield '# metrics = ["127.0.0.1:9143"]'
    yield ""
    yield from remark(texts.CONFIG_TLS)
    yield "[tls]"
    yield _setting("cert", str(cert)) if cert is not None else f'# cert = "/etc/ssl/{hostname}.crt"'
    yield _setting("key", str(key)) if key is not None else f'# key = "/etc/ssl/{hostname}.key"'
    yield ""
    yield from remark(texts.CONFIG_AUTH)
    yield "[auth]"
    yield 'plaintext = "loopback"'
    yield ""
    yield from remark(texts.CONFIG_QUOTA)
    yield "[quota]"
    yield '# storage = "10 GiB"'


def _setting(name: str, value: object) -> str:
    return f"{name} = {toml_text.value(value)}"


def remark(text: Text) -> Iterator[str]:
    """*text* as comments."""
    for line in told(text).splitlines():
        yield f"# {line}"


def certificate_hook(pair_directory: Path, copies: Path, user: str) -> str:
    """A script for certbot: copies a renewed pair to where the service's user can read it.

    certbot's own directories are closed to all but root. The server sees the new files by itself.
    """
    lineage = _in_shell(pair_directory)
    target = _in_shell(copies)
    lines = [
        "#!/bin/sh",
        *remark(texts.HOOK_HEAD),
        "set -e",
        f'if [ -n "$RENEWED_LINEAGE" ] && [ "$RENEWED_LINEAGE" != {lineage} ]; then exit 0; fi',
        f"group=$(id -gn {_in_shell(user)})",
        f'install -d -m 0750 -o root -g "$group" {target}',
        "for each in fullchain.pem privkey.pem; do",
        f'  install -m 0640 -o root -g "$group" {lineage}/"$each" {target}/"$each".new',
        "done",
        "for each in fullchain.pem privkey.pem; do",
        f'  mv -f {target}/"$each".new {target}/"$each"',
        "done",
    ]
    return "\n".join(lines) + "\n"


def rotation(log: Path, user: str, group: str) -> str:
    """The file for logrotate that rotates *log*. The server makes a new file by itself."""
    name = f'"{log}"' if re.search(r"\s", str(log)) else str(log)
    kept = ["    weekly", "    rotate 8", "    compress", "    delaycompress", "    missingok", "    nocreate"]
    # logrotate refuses a directory of another user without this
    return "\n".join([f"{name} {{", *kept, f"    su {user} {group}", "}"]) + "\n"


def _in_shell(text: Path | str) -> str:
    return "'" + str(text).replace("'", "'\\''") + "'"
