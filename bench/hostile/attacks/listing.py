"""LIST of many mailboxes by many patterns."""

from __future__ import annotations

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.client import shown


def _put_mailboxes(stage: Stage) -> None:
    client = stage.imap()
    count = 1000 if stage.is_short else 3000
    names = [b"m%d/%s%d" % (number % 50, b"n" * 60, number) for number in range(count)]
    client.send(b"".join(b"x CREATE %b\r\nx SUBSCRIBE %b\r\n" % (name, name) for name in names) + b"a NOOP\r\n")
    client.until(b"a ")


def _unread(stage: Stage) -> str:
    client = stage.imap(receive_buffer=65536)
    client.send(b'a LIST "" *\r\n' * 1200)
    stage.rest(3)
    return "not read"


def _twenty(stage: Stage) -> str:
    client = stage.imap()
    patterns = b" ".join(b"*%d*%d*x" % (number, number + 1) for number in range(20))
    return shown(client.ask(b'LIST "" (%b)' % patterns))


def _thousands(stage: Stage) -> str:
    client = stage.imap()
    patterns = b" ".join(b"*%d*" % number for number in range(20_000))
    return shown(client.ask(b'LIST "" (%b)' % patterns))


def _wild(stage: Stage) -> str:
    client = stage.imap()
    got = [shown(client.ask(b'LIST "" (%b)' % pattern)) for pattern in (b"%*n" * 300 + b"z", b"*n" * 400 + b"z")]
    return got[-1]


def _recursive(stage: Stage) -> str:
    client = stage.imap()
    extended = b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (%) RETURN (CHILDREN STATUS (MESSAGES))'
    got = [shown(client.ask(extended)), shown(client.ask(b'LSUB "" *')), shown(client.ask(b'LSUB "" %'))]
    return got[-1]


def _status(stage: Stage) -> str:
    client = stage.imap()
    items = b"MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ MAILBOXID"
    return shown(client.ask(b'LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (%b))' % items))


def _put_tree(stage: Stage) -> None:
    client = stage.imap()
    names = [b"top/a%d/%b" % (number, b"n" * 60) for number in range(500 if stage.is_short else 5000)]
    client.send(b"".join(b"x CREATE %b\r\n" % name for name in names) + b"a NOOP\r\n")
    client.until(b"a ")


def _rename(stage: Stage) -> str:
    client = stage.imap()
    client.send(b"x RENAME top other\r\nx RENAME other top\r\n" * 5)
    return shown(client.ask(b"RENAME top other"))


ROWS = (
    Attack(
        key="rename",
        who=Who.USER,
        what="RENAME of a tree of 5,000 mailboxes, to and fro",
        before="",
        prepare=_put_tree,
        run=_rename,
    ),
    Attack(
        key="list-unread",
        who=Who.USER,
        what="15.6 KB of LIST of 3,000 mailboxes, unread",
        before="stall 29 s, 1.1 GB",
        prepare=_put_mailboxes,
        run=_unread,
    ),
    Attack(
        key="list-20",
        who=Who.USER,
        what="LIST with 20 patterns of 3,000 mailboxes",
        before="2.4 s of processor (2,000 mailboxes)",
        prepare=_put_mailboxes,
        run=_twenty,
        is_in_short=False,
    ),
    Attack(
        key="list-20000",
        who=Who.USER,
        what="LIST with 20,000 patterns",
        before="hours",
        prepare=_put_mailboxes,
        run=_thousands,
    ),
    Attack(
        key="list-wild",
        who=Who.USER,
        what="LIST with hundreds of wildcards",
        before="",
        prepare=_put_mailboxes,
        run=_wild,
        is_in_short=False,
    ),
    Attack(
        key="list-recursive",
        who=Who.USER,
        what="LIST with RECURSIVEMATCH, LSUB",
        before="",
        prepare=_put_mailboxes,
        run=_recursive,
        is_in_short=False,
    ),
    Attack(
        key="list-status",
        who=Who.USER,
        what="LIST with STATUS of 3,000 mailboxes",
        before="",
        prepare=_put_mailboxes,
        run=_status,
        is_in_short=False,
    ),
)
