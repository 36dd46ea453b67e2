"""Figures of a report: a module each, `draw.py` to write all of them, `canvas.py` for what they share."""
