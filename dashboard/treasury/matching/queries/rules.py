"""Versions of the rules."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.treasury.matching import rules
from dashboard.treasury.matching.models import MatchRuleSet
from dashboard.treasury.matching.rules import RuleSet


def newest() -> MatchRuleSet:
    """The version in force; the first one came with the product."""
    return session().scalars(sa.select(MatchRuleSet).order_by(MatchRuleSet.version.desc()).limit(1)).one()


def in_force() -> RuleSet:
    """The rules by which the next run matches."""
    found = newest()
    return rules.read(found.version, found.rules)


def of_version(version: int) -> RuleSet:
    """Raises NotFound."""
    found = session().scalar(sa.select(MatchRuleSet).where(MatchRuleSet.version == version))
    if found is None:
        raise NotFound("There is no such version of the rules.", code="rulesNotFound")
    return rules.read(found.version, found.rules)


def versions() -> Sequence[MatchRuleSet]:
    """Newest first."""
    return session().scalars(sa.select(MatchRuleSet).order_by(MatchRuleSet.version.desc())).all()
