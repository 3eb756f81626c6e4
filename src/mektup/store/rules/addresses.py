"""Which domains and aliases there may be, and when an address would be that of an account and of an alias."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mektup.store import texts
from mektup.terms.account_names import objection_to_address, objection_to_domain, shown
from mektup.terms.domains import domain_key, spellings
from mektup.terms.errors import Code, Refused
from mektup.terms.names import address_key, split_address

MOST_DOMAINS = 10_000
"""A process remembers all of them."""

MOST_ACCOUNTS = 100
"""The most accounts of an alias. Each message to it is stored so many times."""


def account_names(user: str, domain: str) -> Iterator[str]:
    """The names of accounts that get the mail for *user* at *domain*, the first one there is."""
    for spelling in spellings(domain):
        yield f"{user}@{spelling}"
    # A quoted local part may have an "@", and must not match an account of another domain.
    if "@" not in user:
        yield user


def alias_keys(user: str, domain: str) -> Iterator[str]:
    """The keys of aliases for *user* at *domain*, the first one there is; without the catch-all."""
    if user and "@" not in user:
        if domain:
            yield address_key(f"{user}@{domain}")
        yield address_key(user)


def new_domain(domain: str, others: Collection[str]) -> str:
    """The key of a domain to be added to *others*. Raises Refused(CANNOT, LIMIT)."""
    if objection := objection_to_domain(domain):
        raise Refused(Code.CANNOT, texts.CANNOT_BE_DOMAIN.of(name=shown(domain), reason=objection))
    key = domain_key(domain)
    if key not in others and len(others) >= MOST_DOMAINS:
        raise Refused(Code.LIMIT, texts.TOO_MANY_DOMAINS.of(most=MOST_DOMAINS))
    return key


@dataclass(frozen=True, slots=True)
class NewAlias:
    """The address of an alias that is to be added."""

    key: str
    names: tuple[str, ...]
    """Accounts of these names would get its mail, too."""

    def require_no_account(self, taken: Collection[str]) -> None:
        """Raises Refused(ALREADYEXISTS) where accounts have some of its *names*."""
        for name in taken:
            raise Refused(Code.ALREADYEXISTS, texts.ADDRESS_OF_ACCOUNT.of(address=self.key, name=name))


def new_alias(address: str, domains: Collection[str]) -> NewAlias:
    """The alias for *address* on a server with *domains*. Raises Refused(CANNOT)."""
    address = unicodedata.normalize("NFC", address).removesuffix(".")
    user, domain = split_address(address)
    objection = objection_to_domain(domain) if address.startswith("@") else objection_to_address(address)
    if objection:
        raise Refused(Code.CANNOT, texts.CANNOT_BE_ALIAS.of(name=shown(address), reason=objection))
    if domain and domains and domain_key(domain) not in domains:
        raise Refused(Code.CANNOT, texts.DOMAIN_IS_ELSEWHERE.of(domain=shown(domain)))
    return NewAlias(address_key(address), tuple(account_names(user, domain)) if user else ())


def require_few_accounts(count: int) -> None:
    """Raises Refused(LIMIT) where an alias would lead to *count* accounts, which are too many."""
    if count > MOST_ACCOUNTS:
        raise Refused(Code.LIMIT, texts.TOO_MANY_OF_ALIAS.of(most=MOST_ACCOUNTS))


def alias_of_account(name: str) -> tuple[str, str]:
    """What an alias may not be called where there is an account *name*: this key; and a beginning, or "" for none."""
    key = address_key(name)
    return key, "" if "@" in key else f"{key}@"


def is_an_alias(alias: str) -> Refused:
    """The refusal to add an account whose mail *alias* gets."""
    return Refused(Code.ALREADYEXISTS, texts.NAME_OF_ALIAS.of(address=alias))


def no_domain(domain: str) -> Refused:
    """The refusal to remove a domain that is not there."""
    return Refused(Code.NONEXISTENT, texts.NO_DOMAIN.of(domain=shown(domain)))


def domain_in_use(alias: str) -> Refused:
    """The refusal to remove the domain of *alias*."""
    return Refused(Code.CANNOT, texts.DOMAIN_IN_USE.of(address=alias))


def no_alias(address: str) -> Refused:
    """The refusal to remove an alias that is not there."""
    return Refused(Code.NONEXISTENT, texts.NO_ALIAS.of(address=shown(address)))


def no_account_called(name: str) -> Refused:
    """The refusal to let an alias lead to an account that is not there."""
    return Refused(Code.NONEXISTENT, texts.NO_ACCOUNT_CALLED.of(name=shown(name)))


def not_of_alias(name: str, address: str) -> Refused:
    """The refusal to remove an account from an alias that does not lead to it."""
    return Refused(Code.NONEXISTENT, texts.NOT_OF_ALIAS.of(name=shown(name), address=shown(address)))
