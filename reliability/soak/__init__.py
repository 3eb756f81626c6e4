"""Many clients for a long time, while workers are killed and hang, and the configuration is loaded again.

The clients are those of ``reliability.crash``, and more; they note every answer in the journals, and every mailbox is
compared with them again and again. What is new here: nothing may grow, and no session may end without a farewell, but
those of a worker that was killed.
"""
