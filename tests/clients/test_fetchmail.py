"""fetchmail: fetches by IMAP and by POP3, plain and over TLS, through a delivery command into a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from .delivery import DeliveryCommand, as_handed_over
from .mail import SAMPLES, append, held
from .programs import private_file, program
from .served import Account

CONFIGURATION = """\
poll localhost protocol {protocol} port {port}
  user "{name}" password "{password}" is "root" here
  {tls}
  mda "{mda}"
  no rewrite keep no mimedecode no dropdelivered pass8bits
"""


@pytest.mark.parametrize("listener", ["imap", "imaps", "pop3", "pop3s"])
def test_fetch(account: Account, tmp_path: Path, listener: str) -> None:
    fetchmail = program("fetchmail", "fetchmail", tmp_path)
    append(account, "INBOX", SAMPLES)
    command = DeliveryCommand(tmp_path)
    tls = f'ssl sslcertck sslcertfile "{account.certificate}"' if listener.endswith("s") else "sslproto ''"
    configuration = private_file(
        tmp_path / "fetchmailrc",
        CONFIGURATION.format(
            protocol=listener.rstrip("s").upper(),
            port=account.port(listener),
            name=account.name,
            password=account.password,
            tls=tls,
            mda=command.path,
        ),
    )
    once = ["-f", configuration, "--nosyslog", "-v", "--pidfile", tmp_path / "pid", "--idfile", tmp_path / "ids"]

    fetchmail.run(*once, "--keep", "--uidl" if listener.startswith("pop3") else "--invisible")

    assert command.delivered == [as_handed_over(raw) for raw in SAMPLES]
    assert [m.raw for m in held(account)] == list(SAMPLES)

    # Without --keep the fetched mail is deleted, and the next run finds none: exit status 1.
    fetchmail.run(*once, "--nokeep", "--fetchall")
    assert held(account) == []
    assert b"No mail for" in fetchmail.run(*once, statuses=[1])
