"""What stands in an account's tables and in the directory's: the SQL of the engine."""
