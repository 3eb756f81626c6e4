"""Parses mail: RFC 5322 and MIME, in one pass over the bytes. No I/O, no IMAP."""
