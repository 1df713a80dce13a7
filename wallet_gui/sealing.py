"""Authenticated boxes for storage and keys."""
