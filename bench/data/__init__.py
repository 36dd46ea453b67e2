"""The datasets that a process has open, each opened and checked once.

Belongs here: what all trials need of a dataset. Does not: a dataset itself, which is in `datasets/`.
"""
