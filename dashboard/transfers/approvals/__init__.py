"""What transfers ask a second person for."""

from dashboard.transfers.approvals.desk import KINDS as DESK
from dashboard.transfers.approvals.executing import KINDS as EXECUTING

KINDS = (*EXECUTING, *DESK)
