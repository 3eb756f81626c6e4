"""Domains and aliases: which there may be, and to which accounts an alias leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mektup.store.interface import Store
from mektup.store.rules import addresses as rules
from mektup.store.sqlite import open_store
from mektup.terms.errors import Code, Refused


async def add(store: Store, *names: str) -> None:
    for name in names:
        await store.directory.add(name, {})


async def names_of(store: Store, alias: str) -> list[str]:
    return list(await store.addresses.accounts_of(alias))


async def refused(doing: object) -> Code | None:
    with pytest.raises(Refused) as caught:
        await doing  # type: ignore[misc]
    return caught.value.code


async def test_a_new_store_has_no_domains_and_no_aliases(store: Store) -> None:
    assert list(await store.addresses.domains()) == []
    assert await store.addresses.aliases("", 10) == []
    assert await names_of(store, "info@example.org") == []


async def test_domains_in_any_spelling_are_one(store: Store) -> None:
    for spelling in (
        "BÜCHER.example",
        "bücher.example",
        "xn--bcher-kva.example",
        "bu\N{COMBINING DIAERESIS}cher.example.",
    ):
        assert await store.addresses.add_domain(spelling) == "bücher.example"
    await store.addresses.add_domain("example.org")
    assert sorted(await store.addresses.domains()) == ["bücher.example", "example.org"]
    await store.addresses.remove_domain("XN--BCHER-KVA.example")
    assert sorted(await store.addresses.domains()) == ["example.org"]
    assert await refused(store.addresses.remove_domain("bücher.example")) is Code.NONEXISTENT


@pytest.mark.parametrize("domain", ["", ".", "a..b", "a b", "a@b", "-x", "a\nb", "[127.0.0.1]", "x" * 300, "a\udc80"])
async def test_domains_that_cannot_be(store: Store, domain: str) -> None:
    assert await refused(store.addresses.add_domain(domain)) is Code.CANNOT
    assert list(await store.addresses.domains()) == []


async def test_an_alias_leads_to_accounts_in_the_order_of_their_names(store: Store) -> None:
    await add(store, "zoe", "Ali", "linda")
    added = await store.addresses.add_alias("Info@Example.ORG", ["zoe", "ali"])
    assert (added.address, added.accounts) == ("info@example.org", ("Ali", "zoe"))
    assert await names_of(store, "info@example.org") == ["Ali", "zoe"]
    again = await store.addresses.add_alias("info@example.org", ["LINDA", "zoe"])
    assert again.accounts == ("Ali", "linda", "zoe")
    assert await store.addresses.aliases("", 10) == [again]


async def test_accounts_leave_an_alias_and_the_last_one_ends_it(store: Store) -> None:
    await add(store, "ali", "linda", "zoe")
    await store.addresses.add_alias("info@example.org", ["ali", "linda", "zoe"])
    await store.addresses.remove_alias("INFO@example.org", ["Linda"])
    assert await names_of(store, "info@example.org") == ["ali", "zoe"]
    assert await refused(store.addresses.remove_alias("info@example.org", ["ali", "linda"])) is Code.NONEXISTENT
    assert await names_of(store, "info@example.org") == ["ali", "zoe"]
    await store.addresses.remove_alias("info@example.org", ["ali", "zoe"])
    assert await store.addresses.aliases("", 10) == []
    assert await refused(store.addresses.remove_alias("info@example.org")) is Code.NONEXISTENT
    await store.addresses.add_alias("info@example.org", ["ali", "zoe"])
    await store.addresses.remove_alias("info@example.org")
    assert await store.addresses.aliases("", 10) == []


async def test_a_removed_account_leaves_all_aliases(store: Store) -> None:
    await add(store, "ali", "linda")
    await store.addresses.add_alias("info@example.org", ["ali", "linda"])
    await store.addresses.add_alias("@example.org", ["linda"])
    await store.directory.remove("linda")
    assert [each.address for each in await store.addresses.aliases("", 10)] == ["info@example.org"]
    assert await names_of(store, "info@example.org") == ["ali"]
    await add(store, "linda")
    assert await names_of(store, "info@example.org") == ["ali"]


async def test_aliases_come_in_pages(store: Store) -> None:
    await add(store, "linda")
    keys = ["@a.example", *(f"u{number}@a.example" for number in range(5)), "postmaster"]
    for key in reversed(keys):
        await store.addresses.add_alias(key, ["linda"])
    for most in (1, 3, 30):
        pages = [await store.addresses.aliases("", most)]
        while pages[-1]:
            pages.append(await store.addresses.aliases(pages[-1][-1].address, most))
        assert [alias.address for page in pages for alias in page] == sorted(keys)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "a@",
        "@a..b",
        "a b@example.org",
        '"a"@example.org',
        "a@b@c",
        "a,b@c.example",
        "..@c.example",
        "a/b",
        "a\x00",
    ],
)
async def test_aliases_that_cannot_be(store: Store, address: str) -> None:
    await add(store, "linda")
    assert await refused(store.addresses.add_alias(address, ["linda"])) is Code.CANNOT


async def test_an_alias_leads_only_to_accounts_so_there_are_no_loops(store: Store) -> None:
    await add(store, "linda")
    await store.addresses.add_alias("info@example.org", ["linda"])
    assert (
        await refused(store.addresses.add_alias("sales@example.org", ["linda", "info@example.org"])) is Code.NONEXISTENT
    )
    assert [each.address for each in await store.addresses.aliases("", 10)] == ["info@example.org"]


@pytest.mark.parametrize(
    ("account", "alias"),
    [
        ("linda", "linda"),
        ("linda", "Linda@example.org"),
        ("linda@example.org", "LINDA@example.org."),
        ("linda@xn--bcher-kva.example", "linda@bücher.example"),
        ("linda@bücher.example", "linda@xn--bcher-kva.example"),
        ("Ze\N{COMBINING DIAERESIS}", "zë@example.org"),
    ],
)
async def test_no_address_leads_to_an_account_and_to_an_alias(store: Store, account: str, alias: str) -> None:
    await add(store, "other", account)
    assert await refused(store.addresses.add_alias(alias, ["other"])) is Code.ALREADYEXISTS
    await store.directory.remove(account)
    await store.addresses.add_alias(alias, ["other"])
    assert await refused(store.directory.add(account, {})) is Code.ALREADYEXISTS
    assert await store.directory.find(account) is None
    await store.addresses.remove_alias(alias)
    await add(store, account)


async def test_names_that_are_apart_may_be_both(store: Store) -> None:
    """An account of one domain goes before the alias of all domains; a beginning that is equal does not matter."""
    await add(store, "other", "linda@example.org", "lind")
    await store.addresses.add_alias("linda", ["other"])
    await store.addresses.add_alias("linda2@example.org", ["other"])
    await add(store, "linda@example.net", "lindaa")
    await store.addresses.add_alias("@example.org", ["other"])


async def test_an_alias_is_in_a_domain_of_the_server(store: Store) -> None:
    await add(store, "linda")
    await store.addresses.add_domain("example.org")
    assert await refused(store.addresses.add_alias("info@example.net", ["linda"])) is Code.CANNOT
    assert await refused(store.addresses.add_alias("@example.net", ["linda"])) is Code.CANNOT
    for alias in ("info@EXAMPLE.org", "postmaster", "@example.org"):
        await store.addresses.add_alias(alias, ["linda"])
    assert await refused(store.addresses.remove_domain("example.org")) is Code.CANNOT
    for alias in ("info@example.org", "@example.org"):
        await store.addresses.remove_alias(alias)
    await store.addresses.remove_domain("example.org")
    assert await names_of(store, "postmaster") == ["linda"]


async def test_an_alias_has_a_bounded_number_of_accounts(store: Store) -> None:
    names = [f"u{number:03}" for number in range(rules.MOST_ACCOUNTS + 1)]
    await add(store, *names)
    await store.addresses.add_alias("all@example.org", names[:-1])
    assert await refused(store.addresses.add_alias("all@example.org", names[-1:])) is Code.LIMIT
    assert await names_of(store, "all@example.org") == names[:-1]


async def test_a_running_store_sees_at_once_what_another_one_changed(tmp_path: Path) -> None:
    server, command = await open_store(tmp_path), await open_store(tmp_path)
    try:
        await add(command, "linda")
        assert await names_of(server, "info@example.org") == []
        await command.addresses.add_alias("info@example.org", ["linda"])
        assert await names_of(server, "info@example.org") == ["linda"]
        assert list(await server.addresses.domains()) == []
        await command.addresses.add_domain("example.org")
        assert list(await server.addresses.domains()) == ["example.org"]
        await command.addresses.remove_alias("info@example.org")
        assert await names_of(server, "info@example.org") == []
    finally:
        await server.close()
        await command.close()
