"""The online window."""
