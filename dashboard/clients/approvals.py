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

#: what moves a client's version or status, and how it is said of who did it
_CHANGES = {
    "client.changed": "changed the client",
    "client.activated": "activated the client",
    "client.blocked": "blocked the client",
    "client.closed": "closed the client",
    "client.flagged": "changed what raised a flag",
    "client.flags_gone": "changed what had raised a flag",
    "client.flag_settled": "settled a flag",
    "client.risk_raised": "raised the risk",
    "client.risk_lowered": "lowered the risk",
    "client.pep_marked": "opened a PEP mark",
    "client.pep_ended": "ended a PEP mark",
    "deletion.requested": "restricted processing",
    "deletion.refused": "refused the deletion",
    "deletion.withdrawn": "took back the wish to be deleted",
    "verification.approved": "told an approval",
}
_UNSEEN = {
    "client.sanctions_marked": "opened a sanctions mark",
    "client.sanctions_mark_ended": "ended a sanctions mark",
    "client.block_completed": "stated the reason of a block",
    **{
        f"verification.{state}": "told a new state of the verification"
        for state in ("not_started", "pending", "on_hold", "retry", "rejected", "withdrawn")
    },
}
#: of an activation the status counts too
_STATUS = {**_CHANGES, "client.unblocked": "lifted a block"}

KINDS = (
    Kind("client.unblock", "Unblock", Permission.CLIENTS_UNBLOCK, unblock_fingerprint, unblock, done="Unblocked",
         noun="Unblock", outcomes=lifting.outcomes, details=lifting.details, closed=lifting.closed,
         touched_by=_STATUS, touched_unseen=_UNSEEN),
    Kind("client.activate", "Activate … by hand", Permission.CLIENTS_ACTIVATE, activation_fingerprint, activate,
         done="Activated", noun="Activation", touched_by=_STATUS, touched_unseen=_UNSEEN),
    Kind("client.lower-risk", "Lower the risk of", Permission.CLIENTS_ACTIVATE, risk_fingerprint, lower_risk,
         done="Lowered the risk of", noun="Lower risk", touched_by=_CHANGES, touched_unseen=_UNSEEN),
    Kind("client.purge", "Delete the data of", Permission.CLIENTS_ERASE, purge_fingerprint, plan_purge,
         done="Approved to delete the data of", noun="Deletion"),
    Kind("client.end-hold", "End a legal hold on", Permission.CLIENTS_ERASE, hold_fingerprint, end_hold,
         done="Ended a legal hold on", noun="End of a legal hold", hidden=True),
    Kind(marks.KIND, "End a sanctions mark of", Permission.CLIENTS_UNBLOCK, marks.fingerprint,
         marks.end_sanctions_mark, done="Ended a sanctions mark of", noun="End of a sanctions mark",
         details=marking.details, hidden=True, touched_by=_CHANGES, touched_unseen=_UNSEEN),
)  # fmt: skip
