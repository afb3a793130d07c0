"""Reject labels of Sumsub in words; the words are those of the register, whose history names them too."""

from dashboard.clients.reject_labels import Label, in_words

__all__ = ["Label", "in_words"]
