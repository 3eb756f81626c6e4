"""Lets in: password schemes, SASL mechanisms, throttling."""
