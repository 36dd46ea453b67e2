"""What a finished plain model is worth: accuracy, compression, multiply-accumulates, the zero threshold.

Belongs here: a number read off a model. Does not: numbers read off records, which are `reports.analysis`.
"""
