"""The verbs of clients. Each locks the client's row first, writes its audit event, and never commits."""

from dashboard.clients.services.activate import activate, activation_obstacle, ask_to_activate
from dashboard.clients.services.block import block, complete_code, suggested_review_date
from dashboard.clients.services.close import close, close_obstacle
from dashboard.clients.services.deletion import (
    ask_to_purge,
    plan_purge,
    purge,
    purge_due,
    refuse_deletion,
    request_deletion,
    withdraw_deletion,
)
from dashboard.clients.services.flags import due_for_refresh, own_flag, refresh, reviewers, settle_flag
from dashboard.clients.services.holds import ask_to_end_hold, end_hold, place_hold
from dashboard.clients.services.marks import ask_to_end_mark, end_mark, open_mark
from dashboard.clients.services.notes import add_note
from dashboard.clients.services.plan import reconsider
from dashboard.clients.services.review import complete_review, review_obstacle
from dashboard.clients.services.risk import LowersRisk, ask_to_lower_risk, lower_risk, raise_risk
from dashboard.clients.services.save import create, update
from dashboard.clients.services.unblock import ask_to_unblock, lift_own, unblock
from dashboard.clients.services.verification import Outcome, Told, record, verification_of

__all__ = [
    "LowersRisk",
    "Outcome",
    "Told",
    "activate",
    "activation_obstacle",
    "add_note",
    "ask_to_activate",
    "ask_to_end_hold",
    "ask_to_end_mark",
    "ask_to_lower_risk",
    "ask_to_purge",
    "ask_to_unblock",
    "block",
    "close",
    "close_obstacle",
    "complete_code",
    "complete_review",
    "create",
    "due_for_refresh",
    "end_hold",
    "end_mark",
    "lift_own",
    "lower_risk",
    "open_mark",
    "own_flag",
    "place_hold",
    "plan_purge",
    "purge",
    "purge_due",
    "raise_risk",
    "reconsider",
    "record",
    "refresh",
    "refuse_deletion",
    "request_deletion",
    "review_obstacle",
    "reviewers",
    "settle_flag",
    "suggested_review_date",
    "unblock",
    "update",
    "verification_of",
    "withdraw_deletion",
]
