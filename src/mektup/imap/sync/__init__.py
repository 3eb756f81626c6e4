"""What a client knows of its selected mailbox, and how it is told what changed."""
