"""Pages of staff and tokens. The blueprint is `people`; importing the modules adds their views."""

from dashboard.people.pages import exporting, invitations, joining, members, tokens
from dashboard.people.pages.blueprint import people

__all__ = ["exporting", "invitations", "joining", "members", "people", "tokens"]
