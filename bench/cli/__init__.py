"""The command line: `app.py` declares every command, each other file prints the results of one or two.

Belongs here: options, messages and exit codes. Does not: any work that Python users would want too.
"""
