"""The forward pass of a model as a graph of operators, and what in it can only be removed together.

Belongs here: recording a pass, the coupling of its dimensions, the channels that follow from it. Does not:
what a finished model can do without, which is `compaction`.

    model ─trace─▶ graph of operators ─coupling─▶ indices that go together ─find_channels─▶ channels of a net
"""
