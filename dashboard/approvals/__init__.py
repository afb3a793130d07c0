"""Four eyes: one person asks, another decides, one of the two is senior.

This package knows nothing of what it executes. A domain describes its kind of request (`kinds.Kind`), and
`app.py` registers it. The verb runs in the deciding transaction, after the fingerprint was compared under lock.
"""
