"""Accounts, domains and aliases that come and go in any order: both engines refuse the same, and find the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mektup.delivery.address import Address
from mektup.delivery.recipients import resolve
from mektup.store.directory_pages import all_aliases
from mektup.store.interface import Store
from mektup.terms.errors import Code, Refused
from mektup.terms.names import account_key, address_key
from tests.contract.engines import ENGINES, EXAMPLES, new_places, open_engine
from tests.support import naive

USERS = ("a", "A", "a+b")
DOMAINS = ("bücher.example", "xn--bcher-kva.example", "x.example")
ALWAYS = ("y", "z")
"""Accounts that are there from the beginning, so that most aliases lead somewhere."""
TARGETS = st.sampled_from((*ALWAYS, "a", "nobody"))
NAMES = st.one_of(st.sampled_from(USERS), st.tuples(st.sampled_from(USERS), st.sampled_from(DOMAINS)).map("@".join))
ALIASES = st.one_of(NAMES, st.sampled_from(DOMAINS).map("@{}".format))
STEPS = st.one_of(
    st.tuples(st.just("account"), NAMES),
    st.tuples(st.just("no account"), st.one_of(NAMES, TARGETS)),
    st.tuples(st.just("domain"), st.sampled_from(DOMAINS)),
    st.tuples(st.just("no domain"), st.sampled_from(DOMAINS)),
    st.tuples(st.just("alias"), ALIASES, st.lists(TARGETS, min_size=1, max_size=2)),
    st.tuples(st.just("no alias"), ALIASES, st.lists(TARGETS, max_size=1)),
)
ASKED = [Address(user, domain) for user in (*USERS, "c") for domain in ("", *DOMAINS, "y.example")]


def doing(store: Store, step: tuple[str, str] | tuple[str, str, list[str]]) -> Awaitable[object]:
    match step:
        case ("account", name):
            return store.directory.add(name, {})
        case ("no account", name):
            return store.directory.remove(name)
        case ("domain", domain):
            return store.addresses.add_domain(domain)
        case ("no domain", domain):
            return store.addresses.remove_domain(domain)
        case ("alias", address, [*accounts]):
            return store.addresses.add_alias(address, accounts)
        case ("no alias", address, [*accounts]):
            return store.addresses.remove_alias(address, accounts)
    raise AssertionError(step)


async def outcome(doing: Awaitable[object]) -> Code | None:
    try:
        await doing
    except Refused as refusal:
        return refusal.code
    return None


async def seen(store: Store) -> list[object]:
    """All that can be asked for."""
    found: list[object] = [sorted(await store.addresses.domains())]
    found += [alias async for alias in all_aliases(store.addresses)]
    for address in ASKED:
        try:
            found.append([(each.entry.name, each.detail) for each in await resolve(address, store)])
        except Refused as refusal:
            found.append(refusal.code)
    return found


async def require_apart(store: Store) -> None:
    """No address leads to an account and to an alias."""
    accounts = {account_key(entry.name) for entry in await store.directory.entries("", 100)}
    keys = {address_key(name) for name in accounts}
    aliases = {alias.address async for alias in all_aliases(store.addresses)}
    assert not keys & aliases
    assert not {alias.partition("@")[0] for alias in aliases if "@" in alias} & accounts


async def play(store: Awaitable[Store], steps: list[tuple[str, str] | tuple[str, str, list[str]]]) -> None:
    one, other = await store, await naive.open_store()
    try:
        for store in (one, other):
            for name in ALWAYS:
                await store.directory.add(name, {})
        for step in steps:
            assert await outcome(doing(one, step)) == await outcome(doing(other, step)), step
            assert await seen(one) == await seen(other), step
            await require_apart(one)
    finally:
        await one.close()
        await other.close()


ENGINE = next(engine for engine in ENGINES if engine != "sqlite on disk")


@pytest.mark.timeout(240)
@settings(
    max_examples=2 * EXAMPLES if ENGINE == "postgres" else 150, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(steps=st.lists(STEPS, max_size=20))
def test_both_engines_agree(
    request: pytest.FixtureRequest, tmp_path: Path, steps: list[tuple[str, str] | tuple[str, str, list[str]]]
) -> None:
    asyncio.run(play(open_engine(ENGINE, new_places(request, ENGINE, tmp_path)()), steps))
