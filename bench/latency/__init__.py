"""Measured latency: the models of a board, dense and sparse, timed in turns on this machine.

Belongs here: runtimes, sparse kernels, the timing itself, and what is measured of a folder. Does not: how a
smaller network is found, which is `compaction`; how times are shown, which is `reports`.
"""
