"""What a mail transfer agent is told, and passes on to people."""

from __future__ import annotations

from mektup.terms.texts import Text

CANCELLED = Text("Cancelled")
BASE64_EXPECTED = Text("Expected base64")
TOO_LONG_IN_PROGRESS = Text("The login took too long")
NO_SUCH_COMMAND = Text("Expected VERSION, CPID, AUTH, CONT or CANCEL")
VERSION_EXPECTED = Text("Expected VERSION with the major version {major}, then CPID")
NUMBER_EXPECTED = Text("Expected the number of a request")
NUMBER_IN_USE = Text("The number of this request is in use")
MECHANISM_EXPECTED = Text("Expected the name of a mechanism")
ADDRESS_EXPECTED = Text("Expected an IP address in rip")
SUBMISSION_ONLY = Text("Only logins for service=smtp and service=submission are checked here")
NO_SUCH_MAP = Text("There is no map {name}; there are {names}")
NETSTRING_EXPECTED = Text("Expected a netstring")
