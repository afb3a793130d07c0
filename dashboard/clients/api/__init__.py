"""Clients for machines: CP-01 to CP-12 of the documented operations."""

from dashboard.clients.api import blocks, deletion, lists, own, profiles
from dashboard.clients.api.blueprint import client_operations
from dashboard.clients.documents import api as documents

__all__ = ["blocks", "client_operations", "deletion", "documents", "lists", "own", "profiles"]
