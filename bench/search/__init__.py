"""Hyperparameter search: an Optuna study a common compression, the confirmation of what is chosen, dashboard.

Belongs here: whatever imports Optuna. Does not: running a trial, or writing its record.
"""
