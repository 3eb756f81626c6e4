"""swaks: delivers by LMTP, with an answer for each recipient."""

from __future__ import annotations

from pathlib import Path

from .mail import ATTACHMENT, DOTS, PLAIN, append, as_delivered, held, logged_in
from .programs import Program, program
from .served import Account, new_account


def swaks(program: Program, account: Account, recipients: str, raw: bytes, *, statuses: list[int]) -> bytes:
    """The output of swaks when it delivers *raw* to *recipients*."""
    message = program.home / "message.eml"
    # swaks ends the last line by itself.
    message.write_bytes(raw.removesuffix(b"\r\n"))
    server = ["--protocol", "LMTP", "--server", f"127.0.0.1:{account.port('lmtp')}"]
    envelope = ["--from", "ada@example.org", "--to", recipients]
    return program.run(*server, *envelope, "--data", f"@{message}", statuses=statuses)


def test_deliver(account: Account, tmp_path: Path) -> None:
    other = new_account(account.server)
    client = program("swaks", "swaks", tmp_path)
    both = f"{account.name}@example.org,{other.name}@example.org"
    for raw in (PLAIN, ATTACHMENT, DOTS):
        printed = swaks(client, account, both, raw, statuses=[0])
        # RFC 2033 §4.2: after the message, one reply for each recipient.
        assert printed.rpartition(b"-> .\n")[2].count(b"<-  250 2.") == 2
    for reader in (account, other):
        assert [as_delivered(m.raw) for m in held(reader)] == [PLAIN, ATTACHMENT, DOTS]


def test_detail_names_a_folder(account: Account, tmp_path: Path) -> None:
    client = program("swaks", "swaks", tmp_path)
    swaks(client, account, f"{account.name}+Archive@example.org", PLAIN, statuses=[0])
    swaks(client, account, f"{account.name}+Nowhere@example.org", DOTS, statuses=[0])
    assert [as_delivered(m.raw) for m in held(account, "Archive")] == [PLAIN]
    assert [as_delivered(m.raw) for m in held(account)] == [DOTS]


def test_unknown_recipient_is_refused(account: Account, tmp_path: Path) -> None:
    client = program("swaks", "swaks", tmp_path)
    no_recipient_accepted = 24
    printed = swaks(client, account, "nobody.at.all@example.org", PLAIN, statuses=[no_recipient_accepted])
    assert b"<** 550 5.1.1 " in printed
    with logged_in(account) as imap:
        assert imap.select() == ("OK", [b"0"])


def test_one_unknown_recipient_does_not_harm_the_other(account: Account, tmp_path: Path) -> None:
    append(account, "INBOX", [PLAIN])
    client = program("swaks", "swaks", tmp_path)
    printed = swaks(client, account, f"nobody.at.all@example.org,{account.name}@example.org", DOTS, statuses=[0])
    assert b"<** 550 5.1.1 " in printed
    assert [as_delivered(m.raw) for m in held(account)] == [PLAIN, DOTS]
