"""Money that comes in: told by a provider, recognized or put on suspense."""
