"""What IMAP says to people: the human text of answers, after the response code (RFC 9051 §7.1)."""

from __future__ import annotations

from mektup.terms.texts import Text, counted

# Answers to a command that is done

COMPLETED = Text("{command} completed")
WELCOME = Text("Welcome")
BEGIN_TLS = Text("Begin TLS now")
DEFLATE_IS_ACTIVE = Text("DEFLATE is active")
OPENED = Text("Opened")
CLOSED = Text("The previous mailbox is closed")
CLOSED_BY_DELETE = Text("The selected mailbox is deleted")
FIRST_UNSEEN = Text("First unseen")
UIDS_ARE_VALID = Text("UIDs are valid")
NEXT_UID = Text("The next UID")
LATEST_CHANGE = Text("The latest change")
FLAGS_ARE_KEPT = Text("Flags may be kept")
NO_FLAGS = Text("No flag can be changed")
APPENDED = Text("Appended")
COPIED = Text("Copied")
NOTHING_TO_COPY = Text("Nothing to copy")
MOVED = Text("Moved")
NOTHING_TO_MOVE = Text("Nothing to move")
SOME_GONE = Text("Some messages no longer exist")
SOME_CHANGED = Text("Some messages had changed")

# In the middle of a command

GO_AHEAD = Text("Go ahead")
WAITING = Text("Waiting; say DONE to end it")
STILL_HERE = Text("Still here")

# A command in the wrong state

NOT_BEFORE_LOGIN = Text("{command} is not possible before LOGIN or AUTHENTICATE")
NOT_AFTER_LOGIN = Text("{command} is not possible any more: you are logged in")
NEEDS_A_MAILBOX = Text("{command} needs a mailbox: SELECT or EXAMINE one first")
APPEND_BEFORE_LOGIN = Text("APPEND is not possible now: log in first")
READ_ONLY = Text("The mailbox is open read-only: SELECT it to change it")
VANISHED_NEEDS_QRESYNC = Text("VANISHED needs ENABLE QRESYNC first")
NEEDS_QRESYNC = Text("QRESYNC needs ENABLE QRESYNC first")
ONLY_DONE = Text("Only DONE can end IDLE")
COMPRESSED_ALREADY = Text("The connection is compressed already")
NOTHING_AFTER_COMPRESS = Text("Nothing may follow COMPRESS before its answer")
COMMANDS_IN_CLEAR = Text("Unencrypted commands came after STARTTLS")
NO_CERTIFICATE = Text("This server has no certificate")

# What cannot be done

NO_SUCH_NUMBER = counted(
    "No message has that sequence number: there is {count} message",
    "No message has that sequence number: there are {count} messages",
)
NO_NUMBERS = Text("No message has that sequence number: the mailbox is empty")
ONE_USE = Text("A mailbox can have one special use: one of {uses}")
EMPTY_MESSAGE = Text("A message must have at least one octet")
APPEND_TOO_BIG = Text("A message may have at most {octets} octets, and so may all of an APPEND")
TOO_MANY_PARTS = Text("These messages have too many parts and addresses for one APPEND")
INTERNAL_ERROR = Text("Internal error; see session {session} in the server's log")

# AUTHENTICATE

CANCELLED = Text("Authentication cancelled")
NOT_BASE64 = Text("A line of an AUTHENTICATE exchange must be base64, or * to cancel")

# The end of a session

MAILBOX_DELETED = Text("The selected mailbox was deleted")
NOT_UNDERSTOOD = Text("The rest of the input cannot be understood")
NOTHING_AFTER_STARTTLS = Text("Nothing may follow STARTTLS before the TLS handshake")
