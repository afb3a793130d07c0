"""What matching asks a second person for."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind
from dashboard.treasury.matching.services import breaks, rules
from dashboard.treasury.matching.vocabulary import ACCEPT, RULES

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
        closed_without=breaks.dropped,
    ),
)
