"""The client's side of IMAP, to take mail over from another server."""
