"""Networks: built by name (ours or timm's), fitted to a dataset, saved as safetensors with a model card.

Belongs here: what makes, stores or reads a network. Does not: training it or measuring it.
"""
