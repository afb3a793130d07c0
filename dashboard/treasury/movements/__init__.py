"""Money between the house's own bank accounts: asked by one, approved by another, in transit until both banks tell."""
