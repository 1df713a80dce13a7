"""secp256k1: the only importer of coincurve."""
