"""The list of periodic reviews. A review itself is completed on its client's page."""

from dashboard.onboarding.reviews.pages import reviews

__all__ = ["reviews"]
