"""What transfers ask a second person for."""

from dashboard.transfers.approvals.desk import KINDS as DESK
from dashboard.transfers.approvals.executing import KINDS as EXECUTING
from dashboard.transfers.approvals.rules import KINDS as RULES

KINDS = (*EXECUTING, *DESK, *RULES)
