"""What happens to mail when something of a cluster fails: a node, PostgreSQL, the network, the bus, the objects."""
