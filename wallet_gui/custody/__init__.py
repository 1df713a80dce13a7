"""What windows and command lines ask of the vault and of a wallet's files; no network, no Qt."""
