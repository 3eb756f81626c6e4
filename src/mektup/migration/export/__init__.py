"""Writes an account, or one mailbox, in the forms that the importer and other programs read."""
