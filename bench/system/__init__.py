"""This machine: devices, cores, versions, peak memory, signals, addresses, and servers for its user alone.

Belongs here: facts of the machine and the process. Does not: anything that knows suites, trials or records.
"""
