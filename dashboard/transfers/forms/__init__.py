"""Forms of the pages of transfers."""
