"""Sentences about the server that mail is taken from."""

from __future__ import annotations

from mektup.terms.texts import Text

# The connection

NO_CA_FILE = Text("{file} has no certificates that can be trusted: {reason}")
NO_ANSWER = Text("{server} did not answer for {seconds} seconds")
NO_CONNECTION = Text("no connection to {server}: {reason}")
CLOSED = Text("{server} closed the connection")
WRONG_CERTIFICATE = Text(
    "{server} did not prove its name ({reason}); --ca-file trusts the certificates of a file, --insecure any"
)
NO_STARTTLS = Text("{server} offers no STARTTLS; --insecure would send the password in the clear")
WOULD_BE_CLEAR = Text("the password would be sent to {server} in the clear; use imaps://, or --insecure")
SENT_BEFORE_TLS = Text("the server sent octets before the encryption began; somebody may have put them in")

# What it sends

ENDLESS_LINE = Text("the server sent a line of more than {octets} octets")
HUGE_LITERAL = Text("the server announced a string of {octets} octets, where at most {most} are expected")
HUGE_RESPONSE = Text("the server sent a response of more than {octets} octets")
NO_RESPONSE = Text("the server sent what is no response of IMAP: {line}")
NO_GREETING = Text("{server} does not greet as an IMAP server: {line}")
REFUSES_US = Text("{server} refuses the connection: {reason}")
SAID_BYE = Text("{server} ended the session: {reason}")
COMMAND_REFUSED = Text("{server} refuses {command}: {reason}")

# The login

LOGIN_REFUSED = Text("{server} does not let {name} in: {reason}")
NO_MECHANISM = Text("{server} offers no login that fits: it has {offered}")
NO_SUCH_MECHANISM = Text("{server} does not offer {mechanism}; it has {offered}")
NO_PROOF = Text("{server} did not prove that it knows the password of {name}")
WEAK_SCRAM = Text("{server} asks for a login of SCRAM that is wrong or too weak")

# Mailboxes and messages

TOO_MANY_MAILBOXES = Text("the server has more than {count} mailboxes")
NOT_SENT = Text("the server has the message, but does not send it")
NOTHING_COMES = Text("the server did not give {count} messages in a row")
CHANGED_MEANWHILE = Text("the mailbox {mailbox} got another UIDVALIDITY meanwhile")
TOO_MANY_MESSAGES = Text("the server tells of more than {count} messages in a mailbox")
IS_A_VIEW = Text("not taken, because it shows the messages of other mailboxes; --mailbox takes it by its name, {name}")
NO_SUCH_MAILBOX_THERE = Text("the server has no such mailbox")
FLAGS_LEFT_OUT = Text("messages lose flags that mektup cannot keep: {flags}")
WRONG_SIZE = Text("the server told {told} octets and sent {sent}; the message is taken as it was sent")
NOBODY_TO_SHARE_WITH = Text("it was shared with {name}, who has no account here")
RENAMED_THERE = Text("at the server it seems to be called {name} now; here it stays, beside the new {name}")
DELETED_THERE = Text("it is no longer at the server, and stays here; delete it if nobody wants it")
UNASKED_ANSWERS = Text("the server sent more than {count} answers that nobody asked for")

# The command line

NO_URL = Text("{url} is no address of an IMAP server, such as imaps://linda@mail.example.org")
PASSWORD_IN_URL = Text("a password in the address can be seen by others; use --password-file, or type it when asked")
NO_COLUMNS = Text("the first line must name the columns, with user among them, from: {columns}")
WRONG_LINE = Text("line {line} has not {count} fields, or one is too long")
NO_CSV = Text("line {line} is no CSV: a quote is missing or misplaced")
NO_SECRET_IN_LINE = Text("line {line} needs a user, and either a password or a token")
ACCOUNT_TWICE = Text("line {line} names the account {name}, as line {first} does")
