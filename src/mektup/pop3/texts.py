"""What POP3 says to people. The words after +OK and -ERR are for people only (RFC 1939 §3)."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Successes

READY = Text("mektup POP3 ready, session {session}")
NOW_THE_PASSWORD = Text("Now the password")
MECHANISMS = Text("These are the mechanisms")
WELCOME = counted(
    "Welcome, there is {count} message ({octets} octets)", "Welcome, there are {count} messages ({octets} octets)"
)
CAPABILITIES = Text("This is what can be done here")
GO_AHEAD_WITH_TLS = Text("Go ahead with TLS")
UTF8_IS_ON = Text("UTF-8 it is")
MESSAGES = counted("{count} message ({octets} octets)", "{count} messages ({octets} octets)")
OCTETS = counted("{count} octet", "{count} octets")
TOP = Text("The top of it")
WILL_BE_REMOVED = Text("Message {number} will be removed at QUIT")
GOODBYE_LEFT = counted("Goodbye, {count} message left", "Goodbye, {count} messages left")

# Mistakes of the client

UNKNOWN_BEFORE_LOGIN = Text("Unknown command, before login there are {commands}")
UNKNOWN_AFTER_LOGIN = Text("Unknown command, after login there are {commands}")
NOT_BEFORE_LOGIN = Text("{command} is not possible before login")
NOT_AFTER_LOGIN = Text("{command} is not possible after login")
EXPECTED = Text("{usage} is expected")
USER_BEFORE_PASS = Text("USER comes before PASS")
BASE64_EXPECTED = Text("A base64 response is expected")
CANCELLED = Text("Given up, as you wish")
NO_SUCH_MESSAGE = counted("No such message, there is {count}", "No such message, there are {count}")
MARKED_AS_DELETED = Text("Message {number} is marked as deleted")
NOTHING_AFTER_STLS = Text("Nothing may follow STLS before the connection is encrypted")

# Refusals

ENCRYPT_FIRST = Text("Encrypt the connection first: STLS")
NO_CERTIFICATE = Text("There is no certificate")
MESSAGE_GONE = Text("Message {number} is no longer there, another session removed it")
