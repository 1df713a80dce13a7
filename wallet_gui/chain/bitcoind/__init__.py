"""The user's own node: its RPC over a tunnel that the program opens itself."""
