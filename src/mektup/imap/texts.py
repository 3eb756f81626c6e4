"""What IMAP says to people: the human text of answers, which follows the response code (RFC 9051 §7.1)."""

from __future__ import annotations

from mektup.terms.texts import Text

CANCELLED = Text("Authentication cancelled, as you wished")
NOT_BASE64 = Text("A line of an AUTHENTICATE exchange must be base64, or * to cancel")

# The end of a session

MAILBOX_DELETED = Text("The selected mailbox was deleted")
NOT_UNDERSTOOD = Text("Nothing that follows could be understood")
NOTHING_AFTER_STARTTLS = Text("Nothing may follow STARTTLS before the TLS handshake")
