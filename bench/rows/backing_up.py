"""The backup of an account to a new directory, by each server's own command, while the server runs."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from bench.rows.importing import children, give_to
from bench.rows.registry import READER, Bench, Measured, row


@row("backup", "first backup of INBOX by the command line", ratio=1.0)
def backing_up(bench: Bench) -> Measured:
    """Each run goes to a directory of its own, which is removed at the end.

    Dovecot copies (``doveadm backup`` to an mdbox). mektup compresses and computes a checksum of each message.
    """
    mail = Path(bench.server.mail_folder)
    # beside the data directory: in it, mektup makes no backups
    folder = mail.parent.parent / "backups"
    folder.mkdir()
    give_to(mail.stat(), folder)
    command = bench.server.backup_command(READER, folder / "run")
    before, begun = children(), time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    seconds, used = time.perf_counter() - begun, children() - before
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    messages = bench.server.messages_in_backup(READER, folder / "run")
    shutil.rmtree(folder)
    bench.wait_for_rest()
    return Measured(seconds, used, lambda: messages)
