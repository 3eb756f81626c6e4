"""What delivery says to people who send mail."""

from __future__ import annotations

from mektup.terms.texts import Text

NO_ACCOUNT_HERE = Text("No such account here")
NO_DOMAIN_HERE = Text("This server takes no mail for that domain")
NO_SUCH_ACCOUNT = Text("No such account: {name}")
NO_SUCH_MAILBOX_NAMED = Text("No such mailbox: {name}")
