"""
The documentation, run: every command, query, settings file and program in it.

`blocks` finds fenced blocks in Markdown, `runner` runs those of one document in order, in a folder of their own,
against a running demo; `compare` says whether what came is what the document shows. The other files compare tables
with the code that they are about, and follow links.
"""
