"""One peer, sans-I/O."""
