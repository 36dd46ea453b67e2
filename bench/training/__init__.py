"""From a trial spec to a record: the training loop, its optimizers, schedule, batches and checkpoints.

`loop.py` is the only caller of an optimizer's step; `trial.py` makes the record; `train.py` is the public
`sparsebench.train`. Belongs here: what runs while one network trains. Does not: choosing which one.
"""
