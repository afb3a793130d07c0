"""Pages of statements."""

from dashboard.treasury.statements.pages import files, mapping, overview, show
from dashboard.treasury.statements.pages.blueprint import statements

__all__ = ["files", "mapping", "overview", "show", "statements"]
