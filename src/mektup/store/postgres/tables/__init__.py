"""What stands in a shard and in the directory: tables, functions and statements. All SQL of this engine is here."""
