"""Reads and writes IMAP: bytes to frozen commands, values to bytes. No I/O, no session state."""
