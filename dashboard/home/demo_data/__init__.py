"""Invented clients with believable histories, for trying the product and for measuring it.

`names` and `profiles` invent who a client is, `histories` what happened to it, `rows` turns both into rows of
tables, `loading` copies them in. The same number, seed and day always give the same rows.
"""
