"""The offline process: it holds the keys and knows no network."""
