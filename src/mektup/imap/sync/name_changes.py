"""Which LIST responses tell a client how the names of mailboxes changed (RFC 5465 §5.4).

The client knows a set of names. The log of the account says what is different now, not in which order it happened. So
the lines are found by applying each to the names as the client would, one after the other:

1. names that are gone, with \\NonExistent;
2. renamed mailboxes with OLDNAME, superiors first. A client moves everything below a mailbox together with it, so what
   moved along has no line of its own, and what did not has one from the place where the client has it now;
3. all other names: new ones, those with other attributes, and superiors whose children changed.

A mailbox that got the name of another one is told after that one has moved out of the way. Where none can move first
(two exchanged their names, say), one is told as gone, and as a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from mektup.imap.mailbox_tree import entry_of
from mektup.store.interface import Mailbox
from mektup.store.mailbox_changes import LoggedMailbox, MailboxChanges
from mektup.terms.names import DELIMITER
from mektup.terms.numbers import MailboxId


class Changed(NamedTuple):
    """One LIST response."""

    name: str
    old_name: str | None = None
    """The name before a rename."""
    is_gone: bool = False
    """Whether the name is told as gone, even if another mailbox has it already."""


def gone_ids(
    log: MailboxChanges, known: Mapping[MailboxId, Mailbox], own: Collection[MailboxId]
) -> Collection[MailboxId]:
    """The mailboxes that the client knows, and that are gone. *own*: those that it made itself since."""
    there = {each.id for each in log.mailboxes}
    if log.whole:
        return [number for number in known if number not in there]
    # the log does not mention what came and went
    came_and_went = [number for number in own if number in known and number not in there]
    return dict.fromkeys([each.id for each in log.gone if each.id in known] + came_and_went)


class NameChanges:
    """The lines for one answer of the log."""

    def __init__(
        self,
        log: MailboxChanges,
        known: Mapping[MailboxId, Mailbox],
        gone: Collection[MailboxId],
        now: Sequence[Mailbox],
        is_told: Callable[[str], bool],
    ) -> None:
        """*known*: what the client knows. *gone*: ``gone_ids``. *now*: all mailboxes. *is_told*: for wanted names."""
        self._known, self._now, self._is_told = known, now, is_told
        self.reappeared: set[MailboxId] = set()
        """The mailboxes that are told as gone, and as new ones."""
        self._lines: list[Changed] = []
        self._names = {number: mailbox.name for number, mailbox in known.items() if number not in gone}
        """The names as the client has them after the lines so far."""
        self._holders = {name: number for number, name in self._names.items()}
        self._renamed: dict[MailboxId, str] = {}
        """The new names."""
        self._others: dict[str, None] = {}
        """Names in the order of their lines, each once."""
        self._superiors: dict[str, None] = {}
        for number in gone:
            self._note_gone(known[number].name)
        for each in log.mailboxes:
            self._note(each)

    def _note_gone(self, name: str) -> None:
        there = entry_of(name, self._now, frozenset()).mailbox
        if there is None or there.selectable:
            self._tell(Changed(name, is_gone=True))
        # RFC 9051 §6.3.5: else it was deleted, but its name stays, as there are others below it; that is told as it is
        self._affect_superior(name)

    def _note(self, now: LoggedMailbox) -> None:
        before = self._known.get(now.id)
        if before is None:
            self._others[now.name] = None
            self._affect_superior(now.name)
        elif before.name != now.name:
            self._renamed[now.id] = now.name
        elif (before.special_use, before.selectable) != (now.special_use, now.selectable):
            self._others[now.name] = None

    def _affect_superior(self, name: str) -> None:
        # RFC 5465 §5.4: the direct parent of a created or deleted mailbox is affected, too
        superior = name.rpartition(DELIMITER)[0]
        if superior:
            self._superiors[superior] = None

    def _tell(self, line: Changed) -> None:
        if self._is_told(line.name) or (line.old_name is not None and self._is_told(line.old_name)):
            self._lines.append(line)

    def lines(self) -> list[Changed]:
        """The lines in their order; to be called once."""
        for number in sorted(self._renamed, key=lambda number: self._names[number].count(DELIMITER)):
            self._move(number)
        told = {line.name for line in self._lines if not line.is_gone}
        for name in (*self._others, *self._superiors):
            if name not in told and entry_of(name, self._now, frozenset()).mailbox is not None:
                told.add(name)
                self._tell(Changed(name))
        return self._lines

    # Renames

    def _move(self, number: MailboxId) -> None:
        """Gives a mailbox its new name, after all that are in its way have moved."""
        path = [number]
        while path:
            number = path[-1]
            old, new = self._names.get(number), self._now_named(number)
            in_the_way = None if old is None or old == new else self._in_the_way(old, new)
            if in_the_way is None or in_the_way in path or self._names[in_the_way] == self._now_named(in_the_way):
                path.pop()
                if old is not None and old != new:
                    self._rename(number, old, new, can_move=in_the_way is None and not new.startswith(old + DELIMITER))
            else:
                path.append(in_the_way)

    def _now_named(self, number: MailboxId) -> str:
        return self._renamed.get(number) or self._known[number].name

    def _below(self, name: str) -> list[str]:
        return [each for each in self._holders if each.startswith(name + DELIMITER)]

    def _in_the_way(self, old: str, new: str) -> MailboxId | None:
        """The mailbox that the client would lose if it renamed *old* to *new*."""
        for name in (old, *self._below(old)):
            holder = self._holders.get(new + name[len(old) :])
            if holder is not None:
                return holder
        return None

    def _rename(self, number: MailboxId, old: str, new: str, *, can_move: bool) -> None:
        self._affect_superior(old)
        self._affect_superior(new)
        moved = [old]
        if can_move:
            if self._is_told(old) or self._is_told(new):
                moved += self._below(old)
            self._tell(Changed(new, old))
        else:
            self._tell(Changed(old, is_gone=True))
            self._others[new] = None
            self.reappeared.add(number)
            del self._names[number], self._holders[old]
            return
        for name in moved:
            mailbox = self._holders.pop(name)
            self._names[mailbox] = new + name[len(old) :]
            self._holders[self._names[mailbox]] = mailbox
