"""Money between own bank accounts: asked by one, approved by another, in transit until both banks say so."""
