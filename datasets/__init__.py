"""Datasets: their protocol, and every built-in dataset, with one source per file.

`api.py` is the protocol that the harness and plugins import. A new dataset is a new file: the registry
imports every public module of this folder. torch, torchvision and scikit-learn may be imported here.
"""
