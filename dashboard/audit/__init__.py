"""Append-only evidence, written in the caller's own transaction: no change without its event, no event without it.

An event is metadata; what it says about people (before, after, reason) lies apart in `audit_payload`, so that a
later purge of personal data can empty payloads and leave the events whole. The event keeps a salted digest of
its payload. Neither table can be updated, deleted from or truncated (triggers, and no grant).
"""
