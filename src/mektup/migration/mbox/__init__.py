"""Files of many messages, each after a line that begins with "From ": mbox in all its variants."""
