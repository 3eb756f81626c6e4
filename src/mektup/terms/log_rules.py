"""What the log tells of mail and of commands, as the operator has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRules:
    """Part of the ``[log]`` table of the configuration file."""

    deliveries: bool = True
    """Whether each delivery has a line: by LMTP, and from an embedding program."""
    appends: bool = False
    """Whether each message that a client uploads by APPEND has a line, too."""
    slow_command_seconds: float = 1.0
    """A command that takes longer has a line; 0: none has. The time that its client takes does not count."""


DEFAULT_LOG_RULES = LogRules()
