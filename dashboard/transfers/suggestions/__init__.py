"""Whose unrecognized money may be: candidates with reasons for and against."""

from dashboard.transfers.suggestions.reading import candidates, candidates_of
from dashboard.transfers.suggestions.saying import Candidate, Evidence, Mark, Suggestions

__all__ = ["Candidate", "Evidence", "Mark", "Suggestions", "candidates", "candidates_of"]
