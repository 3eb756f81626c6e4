"""The import of a Maildir of another server, by each server's own command, while the server runs."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import time
from pathlib import Path

from bench.mail import generate
from bench.rows.registry import WRITER, Bench, Measured, row

LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T"}
UIDVALIDITY = 1_700_000_000


@row("import", "import of a Maildir by the command line", ratio=0.5)
def importing(bench: Bench) -> Measured:
    """Each run goes to a mailbox of its own, which is removed at the end."""
    folder = Path(bench.server.mail_folder).parent / "to-import"
    if bench.once("Maildir"):
        fill(folder, bench.messages)
        give_to(Path(bench.server.mail_folder).stat(), folder)
    client = bench.imap(WRITER)
    top, mailbox = "imported", bench.server.imported_mailbox("imported")
    command = bench.server.import_command(WRITER, folder, top)
    before, begun = children(), time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    seconds, used = time.perf_counter() - begun, children() - before
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    status = client.run(b"STATUS %b (MESSAGES UNSEEN)" % mailbox.encode()).octets
    for name in dict.fromkeys((mailbox, top)):
        client.run(b"DELETE %b" % name.encode())
    bench.wait_for_rest()
    return Measured(seconds, used, lambda: sorted(re.findall(rb"(MESSAGES|UNSEEN) (\d+)", status)))


def children() -> float:
    """The processor seconds of all processes that this one has waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fill(folder: Path, messages: int) -> None:
    """Writes a Maildir as Dovecot has it."""
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    lines = [f"3 V{UIDVALIDITY} N{messages + 1} G{'0' * 31}1"]
    for uid, mail in enumerate(generate(messages), 1):
        raw = mail.raw.replace(b"\r\n", b"\n")
        base = f"{mail.internaldate}.M{uid}P1.bench,S={len(raw)},W={len(mail.raw)}"
        letters = "".join(sorted(LETTERS.get(flag, "") for flag in mail.flags))
        path = folder / "cur" / f"{base}:2,{letters}"
        path.write_bytes(raw)
        os.utime(path, (mail.internaldate, mail.internaldate))
        lines.append(f"{uid} :{base}")
    (folder / "dovecot-uidlist").write_text("\n".join(lines) + "\n")


def give_to(owner: os.stat_result, folder: Path) -> None:
    """Gives all files to the owner of the server's mail: Dovecot reads none as root."""
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, owner.st_uid, owner.st_gid)
