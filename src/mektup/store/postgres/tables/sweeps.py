"""The questions of a sweep: which of many accounts and mailboxes have changed."""

from __future__ import annotations

from typing import Final

ACCOUNTS: Final = """
SELECT asked.place, accounts.modseq
FROM unnest(%s::uuid[], %s::bigint[]) WITH ORDINALITY AS asked (account, known, place)
LEFT JOIN accounts ON accounts.account = asked.account AND accounts.state <> 2
WHERE accounts.modseq IS DISTINCT FROM asked.known
"""
"""Where the modseq is not the known one: the account's place among the parameters from 1 on, and its modseq; NULL where
the account is not here, which is known as NULL afterwards."""

MAILBOXES: Final = """
SELECT asked.place, mailboxes.highestmodseq
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS asked (account, mailbox, known, place)
LEFT JOIN mailboxes ON mailboxes.account = asked.account AND mailboxes.id = asked.mailbox
WHERE mailboxes.highestmodseq IS NULL OR mailboxes.highestmodseq > coalesce(asked.known, 0)
"""
"""Likewise for mailboxes, whose modseq is above the known one; NULL where the mailbox is gone."""
