"""Where mektup and Dovecot differ for real mail, and the rule by which mektup is right. Everything else is equal.

A test fails for a difference that is not listed, and for a listed one that no longer exists.
"""

from __future__ import annotations

LINE_BREAK = """RFC 2046 §5.1.1: "The boundary delimiter MUST occur at the beginning of a line, i.e., following a
CRLF, and the initial CRLF is considered to be attached to the boundary delimiter line rather than part of the
preceding part." Dovecot leaves it in the part if that part ends with its own boundary, or with a header without an
empty line."""

INVALID_TYPE = """RFC 2045 §5.2: "It is also recommend that this default [text/plain] be assumed when a syntactically
invalid Content-Type header field is encountered." Dovecot returns empty strings for type and subtype."""

FORGOTTEN_SEMICOLON = """RFC 9051 §7.5.2: the body type is "A string giving the content media-type name as defined in
[MIME-IMB]", but Dovecot returns an empty string. The message lacks the semicolon before the
boundary."""

EMPTY_PARAMETER = """RFC 2046 §5.1: "The body must then contain one or more body parts, each preceded by a boundary
delimiter line". The body has parts, but Dovecot stops at the second of two semicolons, and shows none."""

CASE = """RFC 2045 §5.1: "The type, subtype, and parameter names are not case sensitive." Dovecot always writes
message/rfc822 in lower case; mektup writes all types as in the message."""

LAST_OCTET = """RFC 9051 §6.3.12: "The APPEND command appends the literal argument as a new message", so all
of it. Dovecot drops a bare CR if it is the last octet of the message."""

NAME_WITH_AT = """RFC 5322 §3.4: an angle-addr has the address, and the text before it is the display-name. Here that
text is no phrase, because it has an "@"; Dovecot takes it for the address, and so shows a wrong author."""

ENCODED_MESSAGE = """RFC 9051 §6.4.5.1: "A part of type MESSAGE/RFC822 or MESSAGE/GLOBAL also has nested part numbers,
referring to parts of the MESSAGE part's body." Here the message is encoded in base64. Dovecot parses the
base64 as the message."""

DIFFERENCES: dict[str, tuple[str, frozenset[str]]] = {
    message: (reason, frozenset(items.split()))
    for message, reason, items in (
        ("mail-parser/legacy-049.eml", LAST_OCTET, "RFC822.SIZE BODY BODYSTRUCTURE BODY[] BODY[TEXT] BODY[1]"),
        ("mail-parser/malformed-017.eml", FORGOTTEN_SEMICOLON, "BODY BODYSTRUCTURE BODY[1] BODY[1.MIME]"),
        ("mail-parser/malformed-020.eml", LINE_BREAK, "BODY[1]"),
        ("mail-parser/malformed-021.eml", LINE_BREAK, "BODY[1]"),
        ("mail-parser/malformed-022.eml", LINE_BREAK, "BODY BODYSTRUCTURE BODY[2]"),
        (
            "mail-parser/rfc-008.eml",
            LINE_BREAK + "\n" + ENCODED_MESSAGE,
            "BODY BODYSTRUCTURE BODY[2] BODY[2.HEADER] BODY[2.TEXT] BODY[2.1] BODY[2.1.MIME] BODY[2.2] BODY[2.2.MIME]",
        ),
        ("mail-parser/thirdparty-007.eml", LINE_BREAK, "BODY BODYSTRUCTURE BODY[3] BODY[3.TEXT]"),
        ("mail-parser/thirdparty-008.eml", LINE_BREAK, "BODY[2.2]"),
        ("mail-parser/thirdparty-015.eml", LINE_BREAK, "BODY BODYSTRUCTURE BODY[2] BODY[3]"),
        (
            "mimekit/content-length.mbox",
            EMPTY_PARAMETER,
            "BODY BODYSTRUCTURE BODY[1] BODY[1.MIME] BODY[2] BODY[2.MIME] BODY[2.HEADER] BODY[2.TEXT]"
            " BODY[2.1] BODY[2.1.MIME]",
        ),
        ("mimekit/dkim-related.msg", LINE_BREAK, "BODY[1]"),
        ("mimekit/messages-body.5.txt", LINE_BREAK, "BODY[1]"),
        ("mimekit/messages-body.6.txt", LINE_BREAK, "BODY[1] BODY[1.1]"),
        ("mimekit/messages-body.7.txt", LINE_BREAK, "BODY[1] BODY[1.1]"),
        ("mimekit/messages-issue358.txt", NAME_WITH_AT, "ENVELOPE"),
        ("mimekit/messages-missing-subtype.txt", INVALID_TYPE, "BODY BODYSTRUCTURE"),
        (
            "mimekit/messages-rfc2060.txt",
            LINE_BREAK + "\n" + CASE,
            "BODY BODYSTRUCTURE BODY[3] BODY[3.TEXT] BODY[4] BODY[4.2] BODY[4.2.TEXT] BODY[4.2.2]",
        ),
    )
}
"""By message: the reason, and the items that differ."""
