"""A POP3 session, which reads INBOX."""
