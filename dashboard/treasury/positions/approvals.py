"""What positions ask a second person for."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind, stale_because
from dashboard.treasury.positions.services import thresholds

KINDS = (
    Kind(
        key=thresholds.KIND,
        label="Change the threshold",
        permission=Permission.TREASURY_WRITE,
        fingerprint=thresholds.fingerprint,
        execute=thresholds.execute,
        done="Changed the threshold",
        noun="Threshold",
        details=thresholds.details,
        closed=stale_because("the threshold was changed"),
    ),
)
