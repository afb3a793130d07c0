"""Whose money is this? Candidates for a receipt, with reasons for and against, never one number."""
