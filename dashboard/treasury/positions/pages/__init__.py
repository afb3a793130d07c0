"""The pages of positions: summary, safeguarding, rows behind figures, evidence, thresholds."""

from dashboard.treasury.positions.pages import deciding, evidence, figures, safeguarding, summary, thresholds
from dashboard.treasury.positions.pages.blueprint import treasury

__all__ = ["deciding", "evidence", "figures", "safeguarding", "summary", "thresholds", "treasury"]
