"""Compact-filter light client over the Bitcoin peer-to-peer protocol."""
