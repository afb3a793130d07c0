"""The rail: only what the role may open, with the counts of what waits."""

from __future__ import annotations

from collections.abc import Sequence

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
    ("Treasury", "/treasury", Permission.TREASURY_READ, "breaks"),
    ("Onboarding", "/onboarding/events", Permission.EVENTS_READ, "verification"),
    ("Approvals", "/approvals", Permission.APPROVALS_READ, overview.APPROVALS),
    ("Audit", "/audit", Permission.AUDIT_READ, None),
    ("Staff", "/staff", Permission.STAFF_MEMBERS, None),
    ("Jobs", "/jobs", Permission.JOBS_READ, None),
)
#: what stands beside each other under Onboarding: label, path, permission, the queue or list that is counted
PLACES = (
    ("Verification events", "/onboarding/events", Permission.EVENTS_READ, None),
    ("Doubts", "/queues/verification", Permission.CLIENTS_REVIEW, "verification"),
    ("Differences", "/onboarding/differences", Permission.EVENTS_READ, overview.DIFFERENCES),
    ("Periodic reviews", "/onboarding/reviews", Permission.CLIENTS_READ_RESTRICTED, "client-reviews"),
    ("Deletion requests", "/clients/deletions", Permission.CLIENTS_ERASE, "deletion-requests"),
)
#: the same under Treasury; the list of a place and the pages of its rows are one place
TREASURY = (
    ("Summary", "/treasury", Permission.TREASURY_READ, None),
    ("Statements", "/treasury/statements", Permission.TREASURY_READ, None),
    ("Reconciliation", "/treasury/reconciliation", Permission.TREASURY_READ, None),
    ("Breaks", "/treasury/breaks", Permission.TREASURY_READ, "breaks"),
    ("Checks", "/treasury/checks", Permission.TREASURY_READ, None),
    ("Safeguarding", "/treasury/safeguarding", Permission.TREASURY_READ, None),
    ("Days", "/treasury/days", Permission.TREASURY_READ, None),
    ("Movements", "/treasury/movements", Permission.TREASURY_READ, None),
    ("Accounts", "/treasury/accounts", Permission.TREASURY_READ, None),
)
#: the same under Staff
STAFF = (
    ("Members", "/staff", Permission.STAFF_MEMBERS, None),
    ("Invitations", "/staff/invitations", Permission.STAFF_MEMBERS, None),
    ("Tokens", "/staff/tokens", Permission.STAFF_MEMBERS, None),
    ("Roles", "/staff/roles", Permission.STAFF_READ, None),
)


def _places(places: Sequence[tuple[str, str, Permission, str | None]], root: str | None) -> list[NavEntry]:
    """Those that the signed-in person may open, with what waits in each: two queries, each counted no further than the
    rail counts. `root`: the place that is current only on its own page."""
    actor = sessions.staff_actor()
    if actor is None:
        return []
    shown = [place for place in places if actor.may(place[2])]
    counts = overview.waiting(actor, [figure for *_, figure in shown if figure])
    return [
        NavEntry(
            label, path, request.path == path or (path != root and request.path.startswith(path + "/")),
            counts.get(figure) if figure else None,
        )
        for label, path, _, figure in shown
    ]  # fmt: skip


def onboarding_places() -> list[NavEntry]:
    """The pages of onboarding beside each other."""
    return _places(PLACES, "/onboarding/events")


def treasury_places() -> list[NavEntry]:
    """The pages of treasury beside each other."""
    return _places(TREASURY, "/treasury")


def staff_places() -> list[NavEntry]:
    """The pages of staff and tokens beside each other; none for who may open the roles alone."""
    found = _places(STAFF, "/staff")
    return found if len(found) > 1 else []


def _current(path: str) -> bool:
    here = request.path
    onboarding = here.startswith("/onboarding/") or here in {place for _, place, _, _ in PLACES}
    if path == "/onboarding/events":
        return onboarding
    if onboarding:
        return False
    if path == "/":
        return here == "/" or here.startswith("/queues/")
    if path == "/transfers" and here.startswith("/transfers/unrecognized"):
        return False
    if path == "/staff":
        return (here + "/").startswith("/staff/") and not (here + "/").startswith("/staff/me/")
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
