"""Header validation, work, reorganisation."""
