"""Delivery: the way of incoming mail into mailboxes, whoever brings it."""
