"""From an address to accounts: accounts, aliases, ``+detail``, the catch-all, and the domains of the server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.delivery.address import Address
from mektup.delivery.recipients import resolve
from mektup.store.interface import Store
from mektup.terms.errors import Code, Refused
from tests.support.services import given_services

NOBODY = "nobody"


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with given_services() as given:
        for name in ("ada@example.org", "çiğdem", "zoe+x"):
            await given.add(name)
        store = given.services.store
        await store.addresses.add_alias("info@example.org", ["linda", "ada@example.org"])
        await store.addresses.add_alias("postmaster", ["linda"])
        await store.addresses.add_alias("a+b@example.org", ["çiğdem"])
        await store.addresses.add_alias("ışık@bücher.example", ["çiğdem"])
        await store.addresses.add_alias("@example.net", ["zoe+x"])
        yield store


async def found(store: Store, local: str, domain: str = "") -> str:
    try:
        recipients = await resolve(Address(local, domain), store)
    except Refused as refusal:
        return NOBODY if refusal.code is Code.NONEXISTENT else str(refusal)
    assert {each.address for each in recipients} == {Address(local, domain)}
    return " ".join(each.entry.name + (f"/{each.detail}" if each.detail else "") for each in recipients)


@pytest.mark.parametrize(
    ("local", "domain", "accounts"),
    [
        ("info", "example.org", "ada@example.org linda"),
        ("INFO", "Example.ORG.", "ada@example.org linda"),
        ("info+Lists/Python", "example.org", "ada@example.org/Lists/Python linda/Lists/Python"),
        ("info", "example.com", NOBODY),
        ("postmaster", "", "linda"),
        ("Postmaster", "anywhere.example", "linda"),
        ("postmaster+x", "example.org", "linda/x"),
        ("a+b", "example.org", "çiğdem"),
        ("a+b+c", "example.org", "çiğdem/c"),
        ("a+c", "example.org", NOBODY),
        ("linda", "example.org", "linda"),
        ("linda+x", "example.net", "linda/x"),
        ("ada", "example.org", "ada@example.org"),
        ("ada", "example.net", "zoe+x"),
        ("zoe+x", "example.org", "zoe+x"),
        ("nobody+x", "EXAMPLE.net", "zoe+x"),
        ("", "example.net", "zoe+x"),
        ("ÇİĞDEM".replace("İ", "i"), "example.org", "çiğdem"),
        ("ışık", "bücher.example", "çiğdem"),
        ("ışık+x", "xn--bcher-kva.EXAMPLE", "çiğdem/x"),
        ("info@example.org", "example.com", NOBODY),
        ("@example.net", "", NOBODY),
        ("@example.net", "example.org", NOBODY),
        ("+", "example.org", NOBODY),
        ("+" * 300, "example.org", NOBODY),
        ("nobody", "example.org", NOBODY),
    ],
)
async def test_without_domains_mail_for_any_is_taken(store: Store, local: str, domain: str, accounts: str) -> None:
    assert await found(store, local, domain) == accounts


@pytest.mark.parametrize(
    ("local", "domain", "accounts"),
    [
        ("linda", "example.org", "linda"),
        ("linda", "EXAMPLE.org.", "linda"),
        ("linda", "example.com", NOBODY),
        ("linda", "sub.example.org", NOBODY),
        ("linda", "[127.0.0.1]", NOBODY),
        ("linda", "", "linda"),
        ("postmaster", "", "linda"),
        ("postmaster", "example.com", NOBODY),
        ("ışık", "xn--bcher-kva.example", "çiğdem"),
        ("nobody", "example.net", NOBODY),
    ],
)
async def test_with_domains_mail_for_others_is_refused(store: Store, local: str, domain: str, accounts: str) -> None:
    for name in ("example.org", "xn--bcher-kva.example"):
        await store.addresses.add_domain(name)
    assert await found(store, local, domain) == accounts


async def test_an_account_that_is_added_later_goes_before_the_catch_all(store: Store) -> None:
    assert await found(store, "new", "example.net") == "zoe+x"
    await store.directory.add("new@example.net", {})
    assert await found(store, "new", "example.net") == "new@example.net"
    assert await found(store, "new+work", "example.net") == "new@example.net/work"
