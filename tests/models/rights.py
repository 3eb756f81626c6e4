"""A naive model of what three users share, and of what RFC 4314 lets each of them do."""

from __future__ import annotations

from dataclasses import dataclass, field

Letters = frozenset[str]

EVERY = frozenset("lrswipkxtea")
OTHERS = "Other Users"


@dataclass
class Message:
    """A message; its text says where it was put first."""

    subject: str
    flags: frozenset[str]


@dataclass
class Box:
    """A mailbox."""

    owner: str
    name: str
    lists: dict[str, Letters] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    def rights(self, user: str) -> Letters:
        """What *user* may do with it."""
        if user == self.owner:
            return EVERY
        given = self.lists.get(user, frozenset()) | self.lists.get("anyone", frozenset())
        return given - self.lists.get(f"-{user}", frozenset()) - self.lists.get("-anyone", frozenset())

    def shown(self, user: str) -> str:
        """Its name for *user*."""
        return self.name if user == self.owner else f"{OTHERS}/{self.owner}/{self.name}"


@dataclass
class World:
    """All mailboxes."""

    boxes: list[Box] = field(default_factory=list)

    def named(self, user: str, shown: str) -> Box | None:
        """The mailbox that *user* means, whether or not it may be known."""
        return next((box for box in self.boxes if box.shown(user) == shown), None)

    def above(self, owner: str, name: str) -> Box | None:
        """The nearest mailbox above *name*."""
        while name := name.rpartition("/")[0]:
            for box in self.boxes:
                if (box.owner, box.name) == (owner, name):
                    return box
        return None

    def visible(self, user: str) -> set[str]:
        """The names that LIST shows."""
        return {box.shown(user) for box in self.boxes if "l" in box.rights(user)}

    def verdict(self, user: str, shown: str, needs: str) -> str:
        """OK, or the code of the refusal, for a command on a mailbox that needs these rights."""
        box = self.named(user, shown)
        if box is None:
            return "NONEXISTENT"
        rights = box.rights(user)
        if rights.issuperset(needs) if needs else rights & set("lrikxa"):
            return "OK"
        return "NOPERM" if "l" in rights else "NONEXISTENT"


def permitted(flags: frozenset[str], rights: Letters) -> frozenset[str]:
    """The flags that may be changed."""
    letters = {"\\Seen": "s", "\\Deleted": "t"}
    return frozenset(flag for flag in flags if letters.get(flag, "w") in rights)
