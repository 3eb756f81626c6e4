"""The layers of a connection, such as TLS: objects from bytes to bytes, which know no socket and no event loop."""
