"""The public side of keys: what a watch-only wallet knows."""
