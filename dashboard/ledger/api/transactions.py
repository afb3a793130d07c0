"""GL-17 to GL-20: transactions by filter, query document and as a file."""

from __future__ import annotations
