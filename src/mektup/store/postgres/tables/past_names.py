"""The statements of ``past_names``."""

from __future__ import annotations

from typing import Final

KEEP: Final = (
    "INSERT INTO past_names SELECT account, id, %s, %s, named, name, uidvalidity, uidnext, mailboxid, special_use, "
    "selectable, keywords, %s FROM mailboxes WHERE account = %s::uuid AND id = %s ON CONFLICT DO NOTHING"
)
"""Of two changes of a mailbox by one transaction, the first one tells what was before."""
BEGIN_AT: Final = "UPDATE accounts SET past_from = greatest(past_from, %s) WHERE account = %s::uuid"
