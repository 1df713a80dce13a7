"""What crosses a gap: the messages of the vault pipe."""
