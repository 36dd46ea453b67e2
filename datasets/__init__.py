"""Datasets: what a dataset is, and every dataset, one source a file.

`api.py` is the protocol that the harness and plugins see. A new dataset is a new file, found by itself.
torch, torchvision and scikit-learn may come in.
"""
