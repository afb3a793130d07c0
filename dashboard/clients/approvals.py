"""What of clients needs a second person, and the verb that runs once somebody has decided. `app.py` registers it."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind
from dashboard.clients import lifting, marking
from dashboard.clients.services import marks
from dashboard.clients.services.activate import activate
from dashboard.clients.services.activate import fingerprint as activation_fingerprint
from dashboard.clients.services.deletion import plan_purge, purge_fingerprint
from dashboard.clients.services.holds import end_hold, hold_fingerprint
from dashboard.clients.services.risk import fingerprint as risk_fingerprint
from dashboard.clients.services.risk import lower_risk
from dashboard.clients.services.unblock import fingerprint as unblock_fingerprint
from dashboard.clients.services.unblock import unblock

KINDS = (
    Kind("client.unblock", "Unblock", Permission.CLIENTS_UNBLOCK, unblock_fingerprint, unblock, done="Unblocked",
         noun="Unblock", outcomes=lifting.outcomes, details=lifting.details, closed=lifting.closed),
    Kind("client.activate", "Activate … by hand", Permission.CLIENTS_ACTIVATE, activation_fingerprint, activate,
         done="Activated", noun="Activation"),
    Kind("client.lower-risk", "Lower the risk of", Permission.CLIENTS_ACTIVATE, risk_fingerprint, lower_risk,
         done="Lowered the risk of", noun="Lower risk"),
    Kind("client.purge", "Delete the data of", Permission.CLIENTS_ERASE, purge_fingerprint, plan_purge,
         done="Approved to delete the data of", noun="Deletion"),
    Kind("client.end-hold", "End a legal hold on", Permission.CLIENTS_ERASE, hold_fingerprint, end_hold,
         done="Ended a legal hold on", noun="End of a legal hold", hidden=True),
    Kind(marks.KIND, "End a sanctions mark of", Permission.CLIENTS_UNBLOCK, marks.fingerprint,
         marks.end_sanctions_mark, done="Ended a sanctions mark of", noun="End of a sanctions mark",
         details=marking.details, hidden=True),
)  # fmt: skip
