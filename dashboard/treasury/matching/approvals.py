"""What matching asks a second person for."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind, stale_because
from dashboard.treasury.matching.services import beginning, breaks, rules
from dashboard.treasury.matching.vocabulary import ACCEPT, CARRIED_IN, RULES

KINDS = (
    Kind(
        key=RULES,
        label="Change the rules of matching",
        permission=Permission.TREASURY_WRITE,
        fingerprint=rules.fingerprint,
        execute=rules.execute,
        done="Changed the rules of matching",
        noun="Rules of matching",
        details=rules.details,
        closed=stale_because("the rules of matching were changed"),
    ),
    Kind(
        key=ACCEPT,
        label="Accept the break",
        permission=Permission.TREASURY_WRITE,
        fingerprint=breaks.fingerprint,
        execute=breaks.execute_accept,
        done="Accepted the break",
        noun="Acceptance",
        details=breaks.details,
        closed=stale_because("the break was settled, or is of other amounts"),
        closed_without=breaks.dropped,
        above=rules.alone_amounts,
    ),
    Kind(
        key=CARRIED_IN,
        label="Accept what was carried in",
        permission=Permission.TREASURY_WRITE,
        fingerprint=beginning.fingerprint,
        execute=beginning.execute,
        done="Accepted what was carried in",
        noun="Acceptance",
        details=beginning.details,
        closed=stale_because("what was carried in was accepted, or is another amount"),
    ),
)
