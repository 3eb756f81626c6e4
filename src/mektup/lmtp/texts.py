"""What LMTP says to people, mostly to operators who read the log of the sending server."""

from __future__ import annotations

from mektup.terms.texts import Text

# Replies to a command that is done

SENDER_ACCEPTED = Text("Sender accepted")
RECIPIENT_ACCEPTED = Text("Recipient accepted")
SEND_THE_MESSAGE = Text("Go ahead, CRLF.CRLF ends it")
SAVED = Text("Saved")
RESET = Text("Forgotten")
VERIFY = Text("Send some mail, and it will be seen")
HELP = Text("LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT: see RFC 2033")
DONE = Text("Here")
SHUTTING_DOWN = Text("Shutting down")

# Mistakes of the client

LHLO_FOR_HELO = Text("This is LMTP: say LHLO in place of HELO or EHLO")
UNKNOWN_COMMAND = Text("Unknown command, known are LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT")
NOT_OFFERED = Text("{command} is not offered here")
LHLO_EXPECTS = Text("LHLO expects the name of the client, as in LHLO mail.example.org")
MAIL_EXPECTS = Text("MAIL expects SIZE=octets, BODY=7BIT or BODY=8BITMIME, SMTPUTF8")
UNKNOWN_PARAMETER = Text("{command} knows no parameter {parameter}")
PATH_EXPECTED = Text("{command} {word}:<address> is expected")
ADDRESS_NOT_UTF8 = Text("An address is UTF-8")
PARAMETER = Text("A parameter is KEYWORD or KEYWORD=value")
NOBODY = Text("RCPT TO:<> names nobody")
NO_ARGUMENTS = Text("{command} stands alone")
LHLO_FIRST = Text("Say LHLO first")
TRANSACTION_HAS_BEGUN = Text("A transaction is under way: DATA or RSET come first")
MAIL_FIRST = Text("MAIL comes before RCPT")
RCPT_FIRST = Text("MAIL and RCPT come before DATA")
TOO_MANY_RECIPIENTS = Text("Too many recipients for one message")
