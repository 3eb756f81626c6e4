"""The table of targets. To add one, write a module beside these with a ``TARGETS``, and name it here."""

from __future__ import annotations

from reliability.fuzz.target import Target
from reliability.fuzz.targets import agents, commands, fields, files, lines, machine, mail, network, secrets, sessions

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (agents, commands, mail, fields, lines, secrets, machine, network, sessions, files)
    for target in module.TARGETS
}
