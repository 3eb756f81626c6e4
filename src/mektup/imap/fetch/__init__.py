"""FETCH: from the items that a client asks for to the lines of its answer."""
