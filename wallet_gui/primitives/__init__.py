"""Consensus formats: bytes and numbers, standard library only."""
