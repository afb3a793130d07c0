"""Reading transfers."""
