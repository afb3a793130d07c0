"""GL-01, GL-03, GL-05, GL-07, GL-09, GL-11, GL-13 to GL-16 and GL-21: a client's own accounts."""

from __future__ import annotations
