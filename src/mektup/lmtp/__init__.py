"""An LMTP session: how mail gets in."""
