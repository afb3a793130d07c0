"""The passes of a run: sets of rows in working tables of one transaction, and the SQL that finds what belongs together.

`board` lays the tables out, `gathering` fills them, each pass takes from what the ones before have left, and `breaks`
says what the rest is. Nothing outside the working tables is written here.
"""
