"""Executors run trials: an executor takes frozen trials and returns records, in any order.

`base.py` is the protocol, `resources.py` chooses an executor, `attempts.py` counts the attempts at a trial,
`execute.py` runs one in a worker of any kind. A new kind of executor is a new subpackage beside `local` and
`ray_cluster`. Nothing here may import Optuna or MLflow.
"""
