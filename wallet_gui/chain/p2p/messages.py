"""Peer-to-peer messages."""
