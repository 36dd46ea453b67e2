"""The progress of a campaign: snapshots, remaining time, live table, log lines, state.json and status.

Belongs here: what shows a campaign to a person. Nothing here decides what the campaign does.
"""
