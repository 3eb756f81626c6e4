"""The numbers of IMAP. Each has its own type, so that a UID is never used as a sequence number."""

from typing import Final, NewType

Uid = NewType("Uid", int)
"""A message's permanent number in its mailbox: 1 to 2**32-1, ascending (RFC 9051 §2.3.1.1)."""

Seq = NewType("Seq", int)
"""A message's position in a session's view of a mailbox, from 1 (RFC 9051 §2.3.1.2)."""

ModSeq = NewType("ModSeq", int)
"""The account-wide number of a change, from 1 (RFC 7162 §3.1). One write transaction has one modseq."""

UidValidity = NewType("UidValidity", int)
"""While a mailbox keeps this number, its UIDs mean the same messages (RFC 9051 §2.3.1.1)."""

MailboxId = NewType("MailboxId", int)
"""A mailbox within its account; a rename does not change it."""

ACCOUNT_ITSELF: Final = MailboxId(0)
"""In a notice of a change: the account changed, and no mailbox (a subscription, for example). No mailbox has it."""

ContentId = NewType("ContentId", int)
"""The immutable bytes of a message within its account; copies of a message share it."""

AccountId = NewType("AccountId", str)
"""The permanent id of an account, in hexadecimal; the account's name may change, its id does not."""

MAX_UINT32 = 2**32 - 1
NO_MODSEQ: Final = ModSeq(0)
"""Lower than every modseq."""

MAX_MODSEQ = 2**63 - 1
"""RFC 7162 §3.1: a modseq is a positive unsigned 63-bit integer."""
