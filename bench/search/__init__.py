"""Hyperparameter search: an Optuna study a common compression, and the confirmation of what is chosen.

Belongs here: whatever imports Optuna. Does not: running a trial, or writing its record.
"""
