"""Verbs of treasury days. A day stands for one pool and one currency; each is prepared, signed and reopened alone."""

from dashboard.treasury.days.readiness import learn_blockers, learn_comparison, learn_preparation, learn_signature
from dashboard.treasury.days.services.opening import ensure
from dashboard.treasury.days.services.preparing import prepare
from dashboard.treasury.days.services.reopening import line_came_late, reopen
from dashboard.treasury.days.services.resting import learn_resting
from dashboard.treasury.days.services.signing import sign

__all__ = [
    "ensure",
    "learn_blockers",
    "learn_comparison",
    "learn_preparation",
    "learn_resting",
    "learn_signature",
    "line_came_late",
    "prepare",
    "reopen",
    "sign",
]
