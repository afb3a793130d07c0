"""Reading positions, one file per question."""
