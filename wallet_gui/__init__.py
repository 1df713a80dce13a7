"""Wallet GUI: a Bitcoin desktop wallet that needs nobody's server."""

__version__ = "0.1.0"
