"""A journal of what a server has acknowledged, and the comparison of what it stores with that journal.

Programs that kill or burden a server begin each operation in an ``AccountJournal`` before they send it, and note every
answer. ``check.compare`` then holds a ``seen.SeenAccount``, which was read from the server, against the journal.
The order of operations of several clients follows from what the server said: UIDs and modseqs. Where that leaves
several results possible, each of them is accepted, and nothing else.
"""
