"""The store on PostgreSQL, for several nodes that share it. Needs the extra ``mektup[cluster]``."""
