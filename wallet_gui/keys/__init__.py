"""The private side: seeds, derivation, policy, signing."""
