"""What crosses a gap: the messages of the vault pipe, and QR codes between two computers."""
