"""People and companies: profiles, status, risk, flags, blocks, notes, timeline.

A client is inactive until somebody (or KYC) activates it, and blocked while at least one block is active.
Blocking takes one person and works at once; lifting a block, activating by hand and lowering a risk take two.
"""
