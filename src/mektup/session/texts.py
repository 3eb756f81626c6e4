"""What a session of any protocol says to people."""

from __future__ import annotations

from mektup.terms.texts import Text

READY = Text("mektup ready, session {session}")
GOODBYE = Text("Goodbye")
ENCRYPTED_ALREADY = Text("The connection is encrypted already")
TOO_SLOW_TO_LOG_IN = Text("Too slow to log in")
NO_BALANCER = Text("Your address is not one of a balancer; no header of the PROXY protocol is taken from it")
TOO_MANY_FAILED_LOGINS = Text("Too many failed logins")
TOO_MANY_BAD_COMMANDS = Text("Too many commands that are no {protocol}")
INTERNAL_ERROR = Text("Internal error, session {session}")
