"""The verbs of transfers. Each locks the transfer's row first, then clients, then the ledger; none commits."""
