"""This machine: devices, cores, versions, peak memory, signals, and whether an address answers.

Belongs here: facts of the machine and the process. Does not: anything that knows suites, trials or records.
"""
