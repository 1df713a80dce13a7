"""The ChainBackend protocol and its events."""
