"""Incoming requests and their manual processing."""

from __future__ import annotations
