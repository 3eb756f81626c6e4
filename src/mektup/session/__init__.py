"""What the sessions of all protocols have in common."""
