"""Several nodes on one store: how they tell each other what changed."""
