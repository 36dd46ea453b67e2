"""Measurements of a finished plain model: accuracy, compression, multiply-accumulates, the zero threshold.

Belongs here: a number computed from a model. Does not: numbers computed from records, which are
`reports.analysis`.
"""
