"""The output folder of a run: the names of its files, its lock, and the suite that it belongs to.

Belongs here: what says where a file lies and who may write. Does not: the content of those files.
"""
