"""Mail for an alias: one reply for the address, and a copy for each of its accounts."""

from __future__ import annotations

import pytest

from mektup.lmtp.session import LmtpSession, worst_of
from mektup.session.services import Services
from mektup.terms.errors import Code, Refused
from mektup.terms.quota import Resource
from mektup.terms.texts import Text
from tests.support.dialogue import Dialogue
from tests.support.services import Given, messages, untraced

RAW = b"Subject: dinner\r\n\r\nat eight\r\n"


async def opened(client: Dialogue) -> None:
    await client.line()
    client.send(b"LHLO there\r\nMAIL FROM:<ada@example.org>\r\n")
    await client.until(b"250 ENHANCEDSTATUSCODES\r\n")
    assert (await client.line()).startswith(b"250 2.1.0")


async def sent(given: Given, *recipients: bytes, services: Services | None = None) -> list[bytes]:
    """The replies after the data."""
    async with Dialogue(LmtpSession, services or given.services) as client:
        await opened(client)
        for recipient in recipients:
            assert (await client.ask(b"RCPT TO:<" + recipient + b">")).startswith(b"250 2.1.5")
        assert (await client.ask(b"DATA")).startswith(b"354 ")
        client.send(RAW + b".\r\n")
        return [await client.line() for _ in recipients]


async def bodies(given: Given, name: str, mailbox: str = "INBOX") -> list[bytes]:
    return [untraced(raw) for raw in await messages(await given.account(name), mailbox)]


@pytest.fixture
async def family(given: Given) -> Given:
    await given.add("ada")
    await given.add("zoe")
    await given.services.store.addresses.add_alias("family@example.org", ["linda", "ada", "zoe"])
    return given


async def test_each_account_gets_one_copy_and_the_sender_one_reply(family: Given) -> None:
    replies = await sent(family, b"Family@example.org", b"ada", b"family@example.org")
    assert replies == [
        b"250 2.0.0 <Family@example.org> Saved",
        b"250 2.0.0 <ada> Saved",
        b"250 2.0.0 <family@example.org> Saved",
    ]
    for name in ("linda", "ada", "zoe"):
        assert await bodies(family, name) == [RAW]
    delivered = [entry for entry in family.capture.entries if entry["event"] == "delivered"]
    assert sorted(entry["user"] for entry in delivered if entry["recipient"] == "Family@example.org") == [
        "ada",
        "linda",
        "zoe",
    ]


async def test_the_envelope_stays_in_the_message(family: Given) -> None:
    await sent(family, b"family@example.org")
    (raw,) = await messages(await family.account("zoe"))
    assert raw.startswith(b"Return-Path: <ada@example.org>\r\n")
    assert b"for <family@example.org>" in raw


async def test_a_detail_of_an_alias_names_a_folder_of_each_account(family: Given) -> None:
    await (await family.account("zoe")).create("Lists")
    await sent(family, b"family+lists@example.org")
    assert await bodies(family, "zoe", "Lists") == [RAW]
    assert await bodies(family, "zoe") == []
    assert await bodies(family, "ada") == [RAW]


async def test_an_unknown_address_is_refused_at_rcpt(family: Given) -> None:
    await family.services.store.addresses.add_domain("example.org")
    async with Dialogue(LmtpSession, family.services) as client:
        await opened(client)
        assert await client.ask(b"RCPT TO:<nobody@example.org>") == b"550 5.1.1 No such account here"
        assert (await client.ask(b"RCPT TO:<linda@example.com>")).startswith(b"550 5.1.1 This server takes no mail")
        assert (await client.ask(b"RCPT TO:<family@example.org>")).startswith(b"250 2.1.5")


async def test_a_change_counts_for_the_next_rcpt_of_an_open_session(family: Given) -> None:
    async with Dialogue(LmtpSession, family.services) as client:
        await opened(client)
        assert (await client.ask(b"RCPT TO:<new@example.org>")).startswith(b"550 5.1.1")
        await family.services.store.addresses.add_alias("new@example.org", ["linda"])
        assert (await client.ask(b"RCPT TO:<new@example.org>")).startswith(b"250 2.1.5")
        await family.services.store.addresses.remove_alias("new@example.org")
        assert (await client.ask(b"RCPT TO:<new@example.org>")).startswith(b"550 5.1.1")


async def test_an_alias_with_a_full_account_is_refused_before_the_data(family: Given) -> None:
    zoe = await family.account("zoe")
    await zoe.quota.set_limits({Resource.MESSAGE: 0})
    async with Dialogue(LmtpSession, family.services) as client:
        await opened(client)
        assert (await client.ask(b"RCPT TO:<family@example.org>")).startswith(b"452 4.2.2")
    assert await bodies(family, "ada") == []


async def test_after_a_temporary_failure_for_one_account_the_sender_tries_again(family: Given) -> None:
    async with Dialogue(LmtpSession, family.services) as client:
        await opened(client)
        await client.ask(b"RCPT TO:<family@example.org>")
        await client.ask(b"DATA")
        await (await family.account("linda")).quota.set_limits({Resource.MESSAGE: 0})
        client.send(RAW + b".\r\n")
        assert (await client.line()).startswith(b"452 4.2.2")
    assert [await bodies(family, name) for name in ("ada", "linda", "zoe")] == [[RAW], [], [RAW]]
    assert "delivery_refused" in family.events


async def test_an_account_that_is_removed_meanwhile_does_not_make_the_message_bounce(family: Given) -> None:
    async with Dialogue(LmtpSession, family.services) as client:
        await opened(client)
        await client.ask(b"RCPT TO:<family@example.org>")
        await client.ask(b"DATA")
        await family.services.store.directory.remove("ada")
        client.send(RAW + b".\r\n")
        reply = await client.line()
    assert [await bodies(family, name) for name in ("linda", "zoe")] == [[RAW], [RAW]]
    assert reply.startswith(b"451 4.3.0")
    assert (await sent(family, b"family@example.org"))[0].startswith(b"250")


def test_a_permanent_refusal_is_told_only_where_nobody_has_the_message() -> None:
    full, gone, busy = (Refused(code, Text("x")) for code in (Code.OVERQUOTA, Code.NONEXISTENT, Code.UNAVAILABLE))
    assert worst_of([], 2) is None
    assert worst_of([gone], 2) is None
    assert worst_of([gone], 1) is gone
    assert worst_of([gone, Refused(Code.TOOBIG, Text("x"))], 2) is gone
    assert worst_of([gone, busy, full], 3) is busy
    assert worst_of([Refused(None, Text("x"))], 3) is None


async def test_the_limit_of_recipients_counts_accounts(family: Given) -> None:
    async with Dialogue(LmtpSession, family.limited(lmtp_recipients=4)) as client:
        await opened(client)
        assert (await client.ask(b"RCPT TO:<linda@example.org>")).startswith(b"250")
        assert (await client.ask(b"RCPT TO:<family@example.org>")).startswith(b"250")
        assert (await client.ask(b"RCPT TO:<ada@example.org>")).startswith(b"452 4.5.3")
        client.send(b"RSET\r\nMAIL FROM:<>\r\n")
        assert [(await client.line())[:3] for _ in range(2)] == [b"250", b"250"]
        for one in (b"linda", b"ada"):
            assert (await client.ask(b"RCPT TO:<" + one + b">")).startswith(b"250")
        assert (await client.ask(b"RCPT TO:<family@example.org>")).startswith(b"452 4.5.3")


async def test_an_alias_of_more_accounts_than_the_limit_can_be_the_only_recipient(family: Given) -> None:
    assert await sent(family, b"family@example.org", services=family.limited(lmtp_recipients=2)) == [
        b"250 2.0.0 <family@example.org> Saved"
    ]
