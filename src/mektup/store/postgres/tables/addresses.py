"""The statements of domains and aliases, in the directory; see ``store.addresses``."""

from __future__ import annotations

from typing import Final

DOMAINS: Final = (
    "SELECT domain_changes, CASE WHEN domain_changes <> %s THEN "
    "(SELECT coalesce(array_agg(name), '{}') FROM domains) END FROM numbers"
)
"""The domains, where they are not those as of a number that is known."""
COUNT_DOMAIN_CHANGE: Final = "UPDATE numbers SET domain_changes = domain_changes + 1"
ALL_DOMAINS: Final = "SELECT name FROM domains"
ADD_DOMAIN: Final = "INSERT INTO domains VALUES (%s) ON CONFLICT DO NOTHING"
USE_OF_DOMAIN: Final = "SELECT address FROM aliases WHERE domain = %s LIMIT 1"
REMOVE_DOMAIN: Final = "DELETE FROM domains WHERE name = %s"

ACCOUNTS_OF: Final = (
    "SELECT e.name FROM aliases AS a JOIN entries AS e ON e.id = a.account WHERE a.address = %s ORDER BY e.folded"
)
ACCOUNTS: Final = "SELECT folded, id FROM entries WHERE folded = ANY(%s::text[])"
"""The accounts with these keys."""
ADD_ALIAS: Final = (
    "INSERT INTO aliases SELECT %s, %s, account FROM unnest(%s::text[]::uuid[]) AS a (account) ON CONFLICT DO NOTHING"
)
REMOVE_FROM_ALIAS: Final = "DELETE FROM aliases WHERE address = %s AND account = ANY(%s::text[]::uuid[])"
REMOVE_ALIAS: Final = "DELETE FROM aliases WHERE address = %s"
PAGE: Final = (
    "SELECT a.address, array_agg(e.name ORDER BY e.folded) FROM "
    "(SELECT DISTINCT address FROM aliases WHERE address > %s ORDER BY address LIMIT %s) AS p "
    "JOIN aliases AS a ON a.address = p.address JOIN entries AS e ON e.id = a.account "
    "GROUP BY a.address ORDER BY a.address"
)
NAMED_LIKE: Final = (
    "SELECT address FROM aliases WHERE address = %s OR (%s <> '' AND address > %s AND address < %s) LIMIT 1"
)
"""An alias with one key, or whose key begins so; see ``rules.addresses.alias_of_account``."""
