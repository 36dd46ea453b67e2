"""Results that travel: `pack` makes an archive, `merge` joins archives and folders after checking every line.

Belongs here: reading other people's results with suspicion. Nothing here executes or unpickles anything.
"""
