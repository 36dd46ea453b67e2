"""Compaction: from a finished plain model, a smaller dense one that computes the same.

Belongs here: what finds, folds and removes units without effect. Does not: choosing which weights are zero,
which is a method's; writing files, which is `export`.

    graph of operators ─constants─▶ values that no image changes ─┐
    (measurement.graph) ─coupling─▶ units that go together ────────┴─liveness─▶ units that stay
                                             smaller graph, or nn.Sequential ◀─rewrite─┘
"""
