"""An IMAP session: its life, its commands, its view of the selected mailbox. Awaits its peer and the store only."""
