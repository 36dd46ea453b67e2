"""How far a campaign is: snapshots, the time that is left, the live table, log lines, state.json and status.

Belongs here: what shows a campaign to a person. Nothing here decides what the campaign does.
"""
