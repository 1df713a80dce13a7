"""Which heights need filters or blocks, for which scripts."""
