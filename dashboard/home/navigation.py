"""The rail: only what the role may open, with the counts of what waits."""

from __future__ import annotations

from flask import request

from dashboard.access.permissions import Permission
from dashboard.home import overview
from dashboard.staff import sessions
from dashboard.web.frame import NavEntry

#: label, path, permission, figure beside it
ENTRIES = (
    ("Home", "/", Permission.OWN_WORK, None),
    ("Clients", "/clients", Permission.CLIENTS_READ, "client-review"),
    ("Transfers", "/transfers", Permission.TRANSFERS_READ, "held-transfers"),
    ("Unrecognized", "/transfers/unrecognized", Permission.TRANSFERS_READ, "unrecognized"),
    ("Ledger", "/ledger/accounts", Permission.LEDGER_READ, None),
    ("Onboarding", "/onboarding/events", Permission.EVENTS_READ, "verification"),
    ("Approvals", "/approvals", Permission.APPROVALS_READ, overview.APPROVALS),
)


def _current(path: str) -> bool:
    here = request.path
    if path == "/":
        return here == "/" or here.startswith("/queues/")
    if path == "/transfers" and here.startswith("/transfers/unrecognized"):
        return False
    if path == "/onboarding/events":
        return here.startswith("/onboarding/")
    if path == "/ledger/accounts":
        return here.startswith("/ledger/")
    return here == path or here.startswith(path + "/")


def entries() -> list[NavEntry]:
    """Entries for the signed-in person."""
    actor = sessions.staff_actor()
    if actor is None:
        return []
    counts = overview.rail_counts(actor)
    return [
        NavEntry(label, path, _current(path), counts.get(figure) if figure else None)
        for label, path, permission, figure in ENTRIES
        if actor.may(permission)
    ]
