"""States of imports and statements as badges: colour role and word."""

from __future__ import annotations

STATES = {
    "preview": ("wait", "Preview"),
    "importing": ("info", "Importing"),
    "imported": ("ok", "Imported"),
    "failed": ("stop", "Failed"),
    "deleted": ("neutral", "Deleted"),
}
ACCOUNT_STATES = {
    "expected": ("info", "Expected"),
    "late": ("stop", "Late"),
    "imported": ("ok", "Imported"),
    "tieOutFailed": ("stop", "Tie-out failed"),
    "notAReconciliationDay": ("neutral", "No reconciliation day"),
}
TIE_OUT = {"passed": ("ok", "Passed"), "failed": ("stop", "Failed"), "unknown": ("unknown", "No data")}
CONTINUITY = {
    "passed": ("ok", "Passed"),
    "failed": ("stop", "Failed"),
    "first": ("neutral", "First"),
    "unknown": ("unknown", "No data"),
}
KINDS = {"statement": "Statement", "interim": "Interim report", "notification": "Notification"}
ENTRY_STATES = {"booked": ("ok", "Booked"), "pending": ("wait", "Pending"), "information": ("neutral", "Information")}
FORMATS = {
    "camt.053": "camt.053", "camt.052": "camt.052", "camt.054": "camt.054", "mt940": "MT940", "mt942": "MT942",
    "csv": "CSV",
}  # fmt: skip
SOURCES = {"page": "uploaded", "inbox": "inbox", "command": "command"}
