"""Money that leaves: made, confirmed, checked, let go, and what the provider said became of it."""
