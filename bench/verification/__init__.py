"""The verification of results by their models: weights are counted and measured again.

Nothing that comes with results is executed or unpickled. A network is built from its registered name; a file
gives numbers for the tensors that this network has, and nothing else.
"""
