"""One finished model as a file for PyTorch, safetensors or ONNX, with the lines that load it.

Belongs here: formats for use outside the harness. Does not: the model files of a run, which are `models`.
"""
