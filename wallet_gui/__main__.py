"""Sends argv to the window, the vault or the command line; imports nothing else before it knows."""


def main() -> int:
    """Start the program; returns the exit status."""
    return 2
