"""Forms of the ledger: what a page sends, checked and turned into what a service takes."""
