"""The tables of an account and of the directory: all SQL of the engine."""
