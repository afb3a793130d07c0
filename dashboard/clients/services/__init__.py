"""The verbs of clients. Each locks the client's row first, writes its audit event, and never commits."""

from dashboard.clients.services.activate import activate, activation_obstacle, ask_to_activate
from dashboard.clients.services.block import block, complete_code, suggested_review_date
from dashboard.clients.services.flags import due_for_refresh, refresh, settle_flag
from dashboard.clients.services.notes import add_note
from dashboard.clients.services.risk import LowersRisk, ask_to_lower_risk, lower_risk
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
    "ask_to_lower_risk",
    "ask_to_unblock",
    "block",
    "complete_code",
    "create",
    "due_for_refresh",
    "lift_own",
    "lower_risk",
    "record",
    "refresh",
    "settle_flag",
    "suggested_review_date",
    "unblock",
    "update",
    "verification_of",
]
