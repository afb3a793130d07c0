"""Exports that are made as queued work: asked for, made in the background, taken for a day, gone.

What is exported and how it is written is in `dashboard.web.exports`; the list itself stays where it is shown. Work of
this kind calls the list's own view again, with the rights that the person had when asking.
"""
