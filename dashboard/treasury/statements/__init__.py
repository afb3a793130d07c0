"""Statements of banks: read, kept as they came, with what is wrong about them told and never hidden."""
