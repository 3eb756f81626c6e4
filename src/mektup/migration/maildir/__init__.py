"""Maildir and Maildir++, of Dovecot and of others."""
