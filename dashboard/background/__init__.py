"""Background work: a table of jobs that processes claim, keep alive by heartbeat, and report progress in.

Any domain may ask for work (`services.ask`); what a kind of work does is registered by `app.py` (`kinds.register`).
"""
