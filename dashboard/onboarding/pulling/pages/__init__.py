"""Pages about asking and comparing."""

from dashboard.onboarding.pulling.pages import differences, of_client
from dashboard.onboarding.pulling.pages.blueprint import pulling

__all__ = ["differences", "of_client", "pulling"]
