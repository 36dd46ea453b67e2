"""Which trials to run: one Optuna study for each entry and task, the choice of points, and their confirmation.

Belongs here: whatever asks Optuna. Does not: running a trial, or writing its record.
"""
