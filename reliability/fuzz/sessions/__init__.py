"""Whole sessions of the three protocols, fed with mutated transcripts in every state of a connection."""
