"""BIP158 filters and BIP157 filter headers."""
