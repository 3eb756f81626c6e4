"""An LMTP session, which takes in mail."""
