"""Sparsification methods: the protocol of a method, and every built-in method, one family per file.

`api.py` is the protocol that the harness and plugins see, `net.py` what a method sees of a model, `plan.py`
and `knobs.py` the types that pass between a method and the harness. A new method is a new file in this
folder; the registry imports it without further entry. Torch is the only third-party library imported here.
"""
