"""The clock of the house: which service runs when, in a process of its own."""
