"""What to run: suites, trial specs, search ranges and the descriptions of methods, validated and frozen.

Belongs here: whatever a user writes before a run begins. Does not: anything that trains, measures or writes.
"""
