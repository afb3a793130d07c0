"""What the settings say of Sumsub, for the verbs that know no application."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.settings import Settings


@dataclass(frozen=True)
class Rules:
    """`production`: what comes from a sandbox or a simulation counts for nothing. `approving_levels`: those that may
    open a client; empty: every one."""

    production: bool = False
    workflow_levels: frozenset[str] = frozenset()
    approving_levels: frozenset[str] = frozenset()


_rules = [Rules()]


def install(settings: Settings) -> None:
    """Called by the application factory."""
    _rules[0] = Rules(settings.production, settings.sumsub_workflow_levels, settings.sumsub_approving_levels)


def rules() -> Rules:
    return _rules[0]
