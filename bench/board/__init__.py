"""Boards: repositories of results, to which anybody submits archives and of which a site is built.

Belongs here: the files of a board, the checks of what a submission adds, git. Does not: the verification of a
model (`verification`), the join of archives (`exchange`), and leaderboards, which callers hand in.
"""
