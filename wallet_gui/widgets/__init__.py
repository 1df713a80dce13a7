"""Qt pieces that window and vault share."""
