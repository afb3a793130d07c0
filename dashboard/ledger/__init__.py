"""The ledger: accounts, double entry, payments, balances. It knows owners only by their id.

A *transaction* moves one positive amount of one currency from a debtor account to a creditor account; a *payment*
groups transactions that share one state. All money moves through one function of the database, `move_money`
(migrations/ledger_functions.py), for one payment and for ten thousand alike; `moving.py` calls it. Posted rows are
never changed: a correction is a reversal. The sum of all posted balances is zero in every currency, always.
"""
