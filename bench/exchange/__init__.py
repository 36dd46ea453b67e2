"""Exchange of results between machines: `pack` writes an archive, `merge` joins archives and folders.

Belongs here: reading and checking results of untrusted origin. Nothing here executes or unpickles anything.
"""
