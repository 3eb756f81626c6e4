"""The statements that remove the messages of a mailbox."""

from __future__ import annotations

from typing import Final

TAIL: Final = (
    "SELECT flags, uid, content, size, arrived, zone, saved FROM tail WHERE account = %s::uuid AND mailbox = %s"
)
BLOCKS: Final = (
    "SELECT f.block, f.modseq, f.octets, c.octets FROM flags AS f JOIN facts AS c USING (account, mailbox, block) "
    "WHERE f.account = %s::uuid AND f.mailbox = %s"
)
REMOVE_FROM: Final = "DELETE FROM {} WHERE account = %s::uuid AND mailbox = %s"
TAKE_RETAINED: Final = (
    "UPDATE accounts SET expunged = expunged + %s, retained = retained + %s WHERE account = %s::uuid RETURNING expunged"
)
REMOVE: Final = (
    "SELECT remove_1(%(account)s, %(mailbox)s, %(modseq)s, %(expunged)s, %(moment)s, %(keeps)s, %(moved)s, "
    "%(gone_uids)b, %(gone_words)b, %(gone_contents)b, %(gone_sizes)b, %(gone_dates)b, %(gone_zones)b, %(gone_saved)b, "
    "%(not_before)s)"
)
