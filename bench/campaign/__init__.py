"""The campaign: the driver that asks, executes, records, tells and tracks, and what is published at its end.

`options.py` has every option of a run, `driver.py` the loop and the public `sparsebench.run`. Belongs here:
what joins searches, executors, records and tracking. Does not: the work of any of them.
"""
