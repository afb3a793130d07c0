"""Papers about transfers."""
