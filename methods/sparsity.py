"""How many weights remain at a sparsity, and at a compression. No torch."""


def keep_count(sparsity: float, size: int) -> int:
    """Returns how many of `size` weights remain at a sparsity: (1-sparsity)·size, rounded, and at least 1.

    Args:
        sparsity: The fraction of zeros, in [0, 1).
        size: The number of weights that are pruned together: of a layer, or of the whole net.

    Returns:
        The number of nonzeros; 1 where rounding would leave none.

    Example:
        >>> keep_count(0.9, 50_200), keep_count(0.999, 100)
        (5020, 1)
    """
    return max(1, round((1 - sparsity) * size))


def kept_at(compression: float, size: int) -> int:
    """Returns k(c), how many of P's weights a common compression leaves.

    It is the number that a method with that target keeps, so that a model which met it is never cut.

    Args:
        compression: c, 1 or more.
        size: |P|.

    Returns:
        size/c to the nearest integer, at least 1.

    Example:
        >>> kept_at(64, 266_200), kept_at(1, 10)
        (4159, 10)
    """
    return keep_count(1 - 1 / compression, size)
