"""The overview; the only package that may read all others."""
