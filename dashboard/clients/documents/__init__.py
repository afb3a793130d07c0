"""Papers of a client: pictures and PDFs that somebody uploaded, what was decided about each, and until when it counts.

The row knows the file by its SHA-256; the bytes lie in `INSTANCE_PATH/documents` (ADR 0021). Content never changes:
a better scan is another document. Inside: `pages | api > forms | schemas | dto > services > queries > models`, with
`looking` (what a file is, found out in a process of its own) and `store` (the folder) below.
"""
