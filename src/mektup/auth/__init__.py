"""Checks who may log in: password schemes, SASL mechanisms, throttling."""
