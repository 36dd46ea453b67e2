"""The commands of the command line, by theme: arguments, options and help texts, which are their docstrings.

A command imports what it runs when it is called, so that `--help` stays fast.
"""
