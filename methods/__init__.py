"""Sparsification methods: what a method is, and every method, one family a file.

`api.py` is the protocol that the harness and plugins see, `net.py` what a method sees of a model, `plan.py`
and `knobs.py` what passes between them. A new method is a new file, found by itself. Only torch may come in.
"""
