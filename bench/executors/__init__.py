"""Where trials run: an executor takes frozen trials and hands back records, in any order.

`base.py` is the protocol, `resources.py` chooses an executor, `attempts.py` counts the tries of a trial,
`execute.py` is what every worker does with one. A new kind of executor is a new subpackage beside `local`
and `ray_cluster`. Neither Optuna nor MLflow may come in.
"""
