"""The campaign: the driver that runs the trials of all studies, and the publication of their records.

`options.py` has every option of a run, `driver.py` the loop and the public `sparsebench.run`, `dry_run.py`
the estimate of its cost, `kept_models.py` the model files, `publish.py` leaderboard, figures and MLflow
(`study_summary.py` what an entry's run there has).
Belongs here: what joins searches, executors, records and tracking. Does not: the work of any of them.
"""
