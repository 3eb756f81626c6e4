"""Which messages of a backup a mailbox has already: pure, so that restoring twice adds nothing twice.

A message is there if the mailbox has it under its UID, or, for every other one, if there is another message with the
same octets that is not counted for a second one. So two copies of a message in a backup need two copies in the mailbox.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable


class There:
    """The messages that a mailbox has, by UID and by digest."""

    def __init__(self, messages: Iterable[tuple[int, str]] = ()) -> None:
        """*messages*: UID and digest of each, ascending."""
        self._digests = dict(messages)
        self._free: defaultdict[str, deque[int]] = defaultdict(deque)
        self._taken: set[int] = set()
        for uid, digest in self._digests.items():
            self._free[digest].append(uid)

    def keep(self, uid: int, digest: str) -> None:
        """Notes that the backup has a message *uid* with *digest*, in a mailbox with the same UIDVALIDITY.

        Call it for all messages of the backup, before ``find``.
        """
        if self._digests.get(uid) == digest:
            self._taken.add(uid)

    def find(self, uid: int, digest: str) -> int | None:
        """The UID of the message that is the backup's message *uid*; None where there is none."""
        if uid in self._taken and self._digests.get(uid) == digest:
            return uid
        free = self._free[digest]
        while free:
            found = free.popleft()
            if found not in self._taken:
                return found
        return None
