"""The verbs of documents. Each locks the client's row first, writes its audit event, and never commits.

`remove_files` and `sweep` are the exceptions: they belong to jobs, and a lock of one file lasts one transaction.
"""

from dashboard.clients.documents.services.erasing import erase, relationship_ended, remove_files, sweep

__all__ = ["erase", "relationship_ended", "remove_files", "sweep"]
