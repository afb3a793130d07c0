"""Statements as the demo's banks would send them, made from the demo's ledger.

`bookings` reads what the ledger booked on a closed day, `telling` turns it into entries of a bank, `planting` makes
some of them differ and lists how, `camt` and `mt940` write the files, `folder` puts a day's files into a folder. The
same ledger, day and seed always give the same bytes.
"""
