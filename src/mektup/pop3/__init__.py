"""A POP3 session over the same INBOX."""
