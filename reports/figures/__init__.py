"""Figures of the numbers: one file a figure, `draw.py` for all of them, `canvas.py` for what they share."""
