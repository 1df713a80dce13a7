"""The command line on the same sessions."""
