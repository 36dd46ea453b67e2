"""Hyperparameter search: one Optuna study for each entry and task, the choice of points, their confirmation.

Belongs here: whatever imports Optuna. Does not: running a trial, or writing its record.
"""
