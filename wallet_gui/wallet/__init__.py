"""A watch-only state machine over blocks."""
