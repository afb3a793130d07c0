"""What covers clients' money beside the bank: secure assets, guarantees, insurance policies."""
