"""The window of a computer that keeps keys and has no network; no secret in its process."""
