"""All peers, sans-I/O."""
