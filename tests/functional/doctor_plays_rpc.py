"""Plays for table C.2: what goes wrong at bitcoind."""
