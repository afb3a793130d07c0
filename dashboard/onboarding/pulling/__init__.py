"""Asking Sumsub instead of waiting for it: applicants whose events may be lost, and the daily comparison of states.

What an answer says becomes an event like any other (source `pull`) and is applied in the same order by the same code;
nothing here changes a client.
"""
