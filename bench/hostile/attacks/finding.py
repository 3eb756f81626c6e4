"""Searches over many mailboxes, fuzzy ones and those by another comparator; deep programs and deep threads."""

from __future__ import annotations

from bench.hostile.attack import Attack, Stage, Who
from bench.hostile.client import shown

WORDS = b"garden friday lunch istanbul meeting invoice conference dinner"
TEXT = b"Subject: %d " + WORDS + b"\r\n\r\n" + (b"The quick brown fox jumps over the lazy dog, again.\r\n" * 60)


def _put_mailboxes(stage: Stage) -> None:
    client = stage.imap()
    stage.append([TEXT % 1])
    client.ask(b"SELECT INBOX")
    for number in range(100 if stage.is_short else 1500):
        client.send(b"a CREATE x/%d\r\na COPY 1 x/%d\r\n" % (number, number))
        client.until(rb"a OK \[COPYUID")


def _many_mailboxes(stage: Stage) -> str:
    """Searches all mailboxes again and again, some by keys that read every text."""
    client = stage.imap()
    got = ""
    for keys in (b"ALL", b"UNSEEN", b"1", b"TEXT zq", b"FUZZY TEXT jmups", b"NOT SUBJECT garden"):
        got = shown(client.ask(b"ESEARCH IN (personal) RETURN (COUNT) %b" % keys))
    return got


def _deep_search(stage: Stage) -> str:
    """Programs that are far too deep, and many that are as deep as allowed."""
    client = stage.imap(mailbox="INBOX")
    for word in (b"NOT ", b"OR ALL ", b"FUZZY ", b"NOT OR SEEN ", b"("):
        refused = client.ask(b"SEARCH " + word * 10_000 + b"ALL")
        if b" BAD" not in refused:
            return f"failed: {shown(refused)}"
    deepest = b"SEARCH " + b"NOT OR TEXT zq " * 240 + b"TEXT jumps"
    client.send(b"".join(b"a %b\r\n" % deepest for _ in range(5)))
    return shown(client.until(b"a [A-Z]"))


def _put_texts(stage: Stage) -> None:
    stage.append(TEXT % number for number in range(100))
    client = stage.imap(mailbox="INBOX")
    for _ in range(3 if stage.is_short else 6):
        client.ask(b"COPY 1:* INBOX")


def _fuzzy(stage: Stage) -> str:
    """As many fuzzy keys as are allowed: words with slips, words with accents, and very long ones."""
    client = stage.imap(mailbox="INBOX")
    words = [word[:3] + b"x" + word[4:] for word in WORDS.split()]
    keys = [b"FUZZY TEXT %b" % word for word in words * 5] + [b"FUZZY BODY %b" % (b"aeiou" * 4000)] * 10
    program = b" ".join(b"OR " + key for key in keys[:-1]) + b" " + keys[-1]
    client.ask(b"SEARCH RETURN (RELEVANCY ALL) %b" % program)
    return shown(client.ask(b"SORT RETURN (RELEVANCY PARTIAL 1:10) (RELEVANCY) UTF-8 %b" % program))


def _compared(stage: Stage) -> str:
    """Everything by another comparator, so that each message is decoded again."""
    client = stage.imap(mailbox="INBOX")
    client.ask(b'COMPARATOR "*turkish*"')
    for command in (b"SEARCH TEXT jumps", b"SEARCH NOT TEXT zq", b"SORT (FROM SUBJECT) UTF-8 ALL"):
        client.ask(command)
    return shown(client.ask(b"THREAD ORDEREDSUBJECT UTF-8 TEXT fox"))


def _put_chains(stage: Stage) -> None:
    """Messages whose references make one chain together, each with its own part of it; and copies of them."""
    count = 60 if stage.is_short else 400
    for name in (b"a", b"b"):
        stage.append(
            b"Message-ID: <%b%d@y.example>\r\nReferences: %b\r\n\r\nx\r\n" % (name, number, _part_of_chain(number))
            for number in range(count)
        )
    client = stage.imap(mailbox="INBOX")
    for _ in range(4 if stage.is_short else 7):
        client.ask(b"COPY 1:* INBOX")


def _part_of_chain(number: int) -> bytes:
    return b" ".join(b"<%d@x.example>" % link for link in range(number * 800, number * 800 + 900))


def _chains(stage: Stage) -> str:
    client = stage.imap(mailbox="INBOX")
    client.ask(b"THREAD REFERENCES UTF-8 ALL")
    return shown(client.ask(b"THREAD REFS UTF-8 ALL"))


NEW = "not there"

ROWS = (
    Attack(
        key="esearch-many",
        who=Who.USER,
        what="ESEARCH of 1,500 mailboxes, six times",
        before=NEW,
        prepare=_put_mailboxes,
        run=_many_mailboxes,
    ),
    Attack(
        key="search-deep",
        who=Who.USER,
        what="SEARCH with 10,000 nested NOT, OR, FUZZY and (, and five that are as deep as allowed",
        before="",
        prepare=_put_texts,
        run=_deep_search,
    ),
    Attack(
        key="fuzzy",
        who=Who.USER,
        what="SEARCH and SORT with 50 fuzzy keys over 6,400 messages",
        before=NEW,
        prepare=_put_texts,
        run=_fuzzy,
    ),
    Attack(
        key="comparator",
        who=Who.USER,
        what="SEARCH, SORT and THREAD of 6,400 messages by another comparator",
        before=NEW,
        prepare=_put_texts,
        run=_compared,
    ),
    Attack(
        key="thread-chains",
        who=Who.USER,
        what="THREAD of 102,400 messages with 900 references each, which make one chain of 320,000",
        before="",
        prepare=_put_chains,
        run=_chains,
    ),
)
