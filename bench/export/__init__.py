"""Export of one finished model to PyTorch, safetensors or ONNX, with the Python lines that load the file,
or as a network in this process.

Belongs here: formats for use outside the harness. Does not: the model files of a run, which are in `models`.
"""
