"""Sumsub's API as far as the house needs it: signed questions about one applicant, and what an answer says."""
