"""What the reading of a message says to people."""

from __future__ import annotations

from mektup.terms.texts import Text

UNKNOWN_ENCODING = Text("Content-Transfer-Encoding is not known")
