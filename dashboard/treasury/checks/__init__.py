"""Daily checks, one file per invariant, and the alerts they raise."""
