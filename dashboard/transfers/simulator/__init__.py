"""The other side of the sandbox: a payment provider in a process of its own, with the bad manners of real ones.

It shares nothing with the product but the signature of callbacks. What it does wrong it draws from a seed and the
identifier at hand, so that a run is repeated by its seed.
"""
