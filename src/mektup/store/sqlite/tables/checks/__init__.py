"""What must hold between the rows of an account's file: one module for each kind of check.

Each check yields the findings of ``rules.consistency``. It reads slices, each at one moment, so that no writer and no
checkpoint waits long, and it holds no more in memory than the server does for the same mailbox.
"""
