"""Money that comes in, goes out and changes its currency; recipients, providers, and the desk for unrecognized money.

A transfer is what a client or the house wants done or what a bank told; the ledger's payments are how it is booked.
Status and money change in one transaction, and the database compares the two (`transfer_guard`).
"""
