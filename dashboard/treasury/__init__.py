"""Treasury: what banks say, what of it agrees with the ledger, what is owed and held, and who signed for the day."""
