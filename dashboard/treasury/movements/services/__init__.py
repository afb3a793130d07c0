"""Verbs of movements between own bank accounts."""

from dashboard.treasury.movements.services.asking import ask
from dashboard.treasury.movements.services.settling import look
from dashboard.treasury.movements.services.telling import ask_to_book_back, cancel, done_at_bank

__all__ = ["ask", "ask_to_book_back", "cancel", "done_at_bank", "look"]
