"""The embedded engine: one SQLite file per account, through apsw."""
