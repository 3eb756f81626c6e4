"""Measures mektup beside Dovecot: the same machine, the same mail, the same commands, in turn."""
