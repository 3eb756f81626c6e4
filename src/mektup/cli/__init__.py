"""The mektup command, one file per subcommand."""
