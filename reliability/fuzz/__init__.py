"""Fuzzing: mutated input for every parser, and mutated sessions for every state.

``targets/`` has the table of what is fuzzed; ``judge.py`` says what a finding is; ``engines.py`` makes the inputs.
"""
