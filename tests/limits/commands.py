"""The limits of a command, after login."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tests.limits.limited_server import LOGIN, SMALL, Demonstration, answer, limited_server, padded, verdict


@dataclass(frozen=True)
class Bound:
    """A limit, a command that just keeps it, and one that exceeds it by one."""

    limit: int
    within: bytes
    beyond: bytes
    refusal: bytes = b"BAD"
    accepted: bytes = b"OK"


def _line(octets: int) -> bytes:
    """A command whose line, with tag and space, has so many octets."""
    return padded(b'LIST "" "', b'"', octets - len(b"a "))


BOUNDS = {
    "line_bytes": Bound(60, _line(60), _line(61)),
    "literal_bytes": Bound(20, b'LIST "" {20}', b'LIST "" {21}', accepted=b"+"),
    "literals": Bound(2, b"LIST {0+}\r\n {1+}\r\nx", b"LIST {0+}\r\n ({1+}\r\nx {1+}\r\ny)"),
    "id_fields": Bound(2, b'ID ("a" "x" "b" "y")', b'ID ("a" "x" "b" "y" "c" "z")'),
    "id_name_bytes": Bound(4, b'ID ("name" "x")', b'ID ("named" "x")'),
    "id_value_bytes": Bound(4, b'ID ("name" "mutt")', b'ID ("name" "mutts")'),
    "nesting": Bound(2, b"SEARCH ((ALL))", b"SEARCH (((ALL)))"),
    "search_keys": Bound(3, b"SEARCH SEEN UNSEEN ALL", b"SEARCH SEEN UNSEEN ALL ALL"),
    "comparators": Bound(2, b"COMPARATOR i;octet i;*", b"COMPARATOR i;octet i;* default"),
    "fuzzy_keys": Bound(2, b"SEARCH FUZZY (TO a CC b) BCC c", b"SEARCH FUZZY (TO a CC b) FUZZY BCC c"),
    "sequence_set_ranges": Bound(2, b"UID FETCH 1,3:4 FLAGS", b"UID FETCH 1,3,5:6 FLAGS"),
    "fetch_items": Bound(2, b"FETCH 1 (UID FLAGS)", b"FETCH 1 (UID FLAGS RFC822.SIZE)"),
    "uid_batch_messages": Bound(2, b"UIDBATCHES 2", b"UIDBATCHES 1", refusal=b"NO"),
    "list_patterns": Bound(2, b'LIST "" (a b)', b'LIST "" (a b c)'),
    "list_pattern_bytes": Bound(6, b'LIST "a/" (b c)', b'LIST "a/" (b cd)'),
    "mailboxes_named": Bound(2, b"ESEARCH IN (mailboxes (a b)) ALL", b"ESEARCH IN (personal mailboxes (a b)) ALL"),
    "notify_bytes": Bound(
        60,
        padded(b"NOTIFY SET (mailboxes ", b" (MailboxName))", 58),
        padded(b"NOTIFY SET (mailboxes ", b" (MailboxName))", 59),
        refusal=b"NO",
    ),
    "notify_mailboxes": Bound(
        2,
        b"NOTIFY SET (mailboxes (INBOX b) (MailboxName))",
        b"NOTIFY SET (mailboxes (INBOX b c) (MailboxName))",
        refusal=b"NO",
    ),
    "keyword_bytes": Bound(4, b"STORE 1 +FLAGS (word)", b"STORE 1 +FLAGS (words)"),
    "keywords_per_mailbox": Bound(2, b"STORE 1 +FLAGS (a b)", b"STORE 1 +FLAGS (a b c)", refusal=b"NO"),
    "metadata_name_bytes": Bound(16, b"GETMETADATA INBOX /shared/comments", b"GETMETADATA INBOX /shared/comments2"),
    "metadata_depth": Bound(2, b"GETMETADATA INBOX /shared/a", b"GETMETADATA INBOX /shared/a/b"),
    "metadata_value_bytes": Bound(
        4,
        b'SETMETADATA INBOX (/shared/comment "1234")',
        b'SETMETADATA INBOX (/shared/comment "12345")',
        refusal=b"NO",
    ),
    "metadata_entries": Bound(
        2, b"GETMETADATA INBOX (/shared/a /shared/b)", b"GETMETADATA INBOX (/shared/a /shared/b /shared/c)"
    ),
    "metadata_bytes": Bound(
        4,
        b'SETMETADATA INBOX (/shared/a "12" /shared/b "34")',
        b'SETMETADATA INBOX (/shared/a "12" /shared/b "345")',
        refusal=b"NO",
    ),
    "mailbox_name_bytes": Bound(8, b"CREATE abcdefgh", b"CREATE abcdefghi", refusal=b"NO"),
    "mailbox_depth": Bound(2, b"CREATE a/b", b"CREATE a/b/c", refusal=b"NO"),
}


async def _show(field: str) -> None:
    bound = BOUNDS[field]
    async with limited_server(**{field: bound.limit}) as limited:
        for _ in range(3):
            await limited.server.deliver("linda", SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX") as client:
            assert await verdict(client, bound.beyond) == bound.refusal
            assert await verdict(client, bound.within) == bound.accepted
            if bound.accepted != b"+":
                assert await verdict(client, bound.beyond) == bound.refusal


async def _show_command_bytes() -> None:
    within, beyond = (b'LIST "" {%d+}\r\n%b' % (octets, b"x" * octets) for octets in (40, 41))
    # the announcement of the literal does not count
    async with limited_server(command_bytes=len(b'a LIST "" ') + 40) as limited, limited.imap(LOGIN) as client:
        assert await verdict(client, within) == b"OK"
        assert await verdict(client, beyond) == b"BAD"
        assert await verdict(client, within) == b"OK"


async def _show_keyword_sets() -> None:
    # 100 for each set and its letters; the empty set of messages without keywords counts, too
    async with limited_server(keyword_sets_bytes=302) as limited:
        for _ in range(3):
            await limited.server.deliver("linda", SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX", b"STORE 1 FLAGS (a)", b"STORE 2 FLAGS (b)") as client:
            assert await verdict(client, b"STORE 3 FLAGS (c)") == b"NO"
            assert await verdict(client, b"STORE 3 FLAGS (b)") == b"OK"


async def _show_uid_batches() -> None:
    async with limited_server(uid_batches=2, uid_batch_messages=1) as limited:
        for _ in range(3):
            await limited.server.deliver("linda", SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX") as client:
            assert await verdict(client, b"UIDBATCHES 1") == b"NO"
            assert await verdict(client, b"UIDBATCHES 1 1:3") == b"NO"
            assert await verdict(client, b"UIDBATCHES 1 1:2") == b"OK"
            assert await verdict(client, b"UIDBATCHES 2") == b"OK"


async def _show_message_limit() -> None:
    async with limited_server(message_limit=2, save_limit=1) as limited:
        for _ in range(3):
            await limited.server.deliver("linda", SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX") as client:
            told = await answer(client, b"CAPABILITY")
            assert b" MESSAGELIMIT=2 " in told
            assert b"SAVELIMIT" not in told
            told = await answer(client, b"FETCH 1:* UID")
            assert told.count(b" FETCH ") == 2
            assert b"a OK [MESSAGELIMIT 2 2] " in told
            assert b"[MESSAGELIMIT" not in await answer(client, b"FETCH 1:2 UID")
            assert await verdict(client, b"COPY 1:3 INBOX") == b"NO"
            assert await verdict(client, b"COPY 1:2 INBOX") == b"OK"
    async with limited_server() as limited, limited.imap(LOGIN, b"SELECT INBOX") as client:
        assert b"LIMIT=" not in (await answer(client, b"CAPABILITY")).replace(b"APPENDLIMIT=", b"")
        # a key that nobody announced
        assert await verdict(client, b"SEARCH UIDAFTER 1") == b"BAD"


async def _show_save_limit() -> None:
    one = b" {%d+}\r\n%b" % (len(SMALL), SMALL)
    async with limited_server(save_limit=2) as limited:
        for _ in range(3):
            await limited.server.deliver("linda", SMALL)
        async with limited.imap(LOGIN, b"SELECT INBOX") as client:
            told = await answer(client, b"CAPABILITY")
            assert b" SAVELIMIT=2 " in told
            assert b"MESSAGELIMIT" not in told
            assert await verdict(client, b"COPY 1:3 INBOX") == b"NO"
            assert await verdict(client, b"APPEND INBOX" + one * 3) == b"NO"
            assert await verdict(client, b"APPEND INBOX" + one * 2) == b"OK"
            assert await verdict(client, b"COPY 1:2 INBOX") == b"OK"
            assert (await answer(client, b"FETCH 1:* UID")).count(b" FETCH (UID ") == 7


async def _show_mailboxes() -> None:
    async with limited_server(mailboxes=7) as limited, limited.imap(LOGIN) as client:
        there = (await answer(client, b'LIST "" *')).count(b"* LIST")
        for number in range(there, 7):
            assert await verdict(client, b"CREATE m%d" % number) == b"OK"
        assert await verdict(client, b"CREATE beyond") == b"NO"
        assert await verdict(client, b"SUBSCRIBE INBOX") == b"OK"


async def _show_bad_commands() -> None:
    async with limited_server(bad_commands=2) as limited:
        async with limited.imap(LOGIN) as client:
            assert await verdict(client, b"NONSENSE") == b"BAD"
            assert await verdict(client, b"NOOP") == b"OK"
            client.send(b"a NONSENSE\r\na NOOP\r\n")
            said = await client.rest()
            assert said.startswith(b"a BAD")
            assert b"* BYE" in said
            assert b"a OK" not in said
        async with limited.lmtp() as agent:
            await agent.line()
            assert (await agent.ask(b"NONSENSE")).startswith(b"5")
            agent.send(b"NONSENSE\r\nNOOP\r\n")
            assert (await agent.rest()).splitlines()[-1].startswith(b"421 ")
        async with limited.pop3() as reader:
            await reader.line()
            assert await reader.ask(b"USER linda")
            assert (await reader.ask(b"PASS Pa$$123")).startswith(b"+OK")
            assert (await reader.ask(b"NONSENSE")).startswith(b"-ERR")
            reader.send(b"NONSENSE\r\nNOOP\r\n")
            assert b"+OK" not in await reader.rest()


async def _show_append_rendered_bytes() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b\r\n\r\n" * 200
    one = b" {%d+}\r\n%b" % (len(mail), mail)
    async with limited_server(append_rendered_bytes=30_000) as limited, limited.imap(LOGIN) as client:
        assert await verdict(client, b"APPEND INBOX" + one * 10) == b"NO"
        assert b"(MESSAGES 0)" in await answer(client, b"STATUS INBOX (MESSAGES)")
        # a single message is not limited
        assert await verdict(client, b"APPEND INBOX" + one) == b"OK"
    async with limited_server() as limited, limited.imap(LOGIN) as client:
        assert await verdict(client, b"APPEND INBOX" + one * 10) == b"OK"


async def _show_thread_references() -> None:
    async with limited_server(thread_references=4) as limited:
        for number in range(2):
            await limited.server.deliver("linda", b"References: <a@x> <b@x>\r\n\r\n%d\r\n" % number)
        async with limited.imap(LOGIN, b"SELECT INBOX") as client:
            assert await verdict(client, b"THREAD REFERENCES UTF-8 ALL") == b"OK"
            await limited.server.deliver("linda", b"References: <a@x>\r\n\r\nbeyond\r\n")
            assert b"* 3 EXISTS" in await answer(client, b"NOOP")
            assert await verdict(client, b"THREAD REFERENCES UTF-8 ALL") == b"NO"
            assert await verdict(client, b"THREAD ORDEREDSUBJECT UTF-8 ALL") == b"OK"


async def _show_acl_identifiers() -> None:
    async with limited_server(acl_identifiers=2) as limited:
        for name in ("ann", "bob"):
            await limited.server.add_user(name, "x")
        async with limited.imap(LOGIN) as client:
            assert await verdict(client, b"SETACL INBOX ann lr") == b"OK"
            assert await verdict(client, b"SETACL INBOX bob lr") == b"OK"
            assert await verdict(client, b"SETACL INBOX -bob r") == b"NO"
            assert await verdict(client, b"SETACL INBOX bob lrs") == b"OK"


async def _show_sharing_accounts() -> None:
    async with limited_server(sharing_accounts=1) as limited:
        await limited.server.add_user("ann", "x")
        async with limited.imap(LOGIN) as client, limited.imap(b"LOGIN ann x") as other:
            assert await verdict(client, b"SETACL INBOX anyone lr") == b"OK"
            assert await verdict(client, b"SETACL Sent anyone lr") == b"OK"
            assert await verdict(other, b"SETACL INBOX anyone lr") == b"NO"
            assert await verdict(client, b"DELETEACL INBOX anyone") == b"OK"
            assert await verdict(client, b"DELETEACL Sent anyone") == b"OK"
            assert await verdict(other, b"SETACL INBOX anyone lr") == b"OK"


SHOWN: dict[str, Demonstration] = {
    **{field: partial(_show, field) for field in BOUNDS},
    "command_bytes": _show_command_bytes,
    "keyword_sets_bytes": _show_keyword_sets,
    "uid_batches": _show_uid_batches,
    "message_limit": _show_message_limit,
    "save_limit": _show_save_limit,
    "mailboxes": _show_mailboxes,
    "bad_commands": _show_bad_commands,
    "append_rendered_bytes": _show_append_rendered_bytes,
    "thread_references": _show_thread_references,
    "acl_identifiers": _show_acl_identifiers,
    "sharing_accounts": _show_sharing_accounts,
}
