"""ENVELOPE, BODY and BODYSTRUCTURE of a message as wire bytes (RFC 9051 §7.5.2). The one user of message in wire."""
