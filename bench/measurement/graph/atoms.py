"""Indices of dimensions that can only be removed together: atoms, and the bonds between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.int64]
"""The atom of each index of a dimension."""
Axes = tuple[Axis, ...]
"""The axes of a tensor, one a dimension."""

PINNED = 0
"""The atom of every index that can never be removed."""


class Atoms:
    """Atoms and their bonds: indices with one atom, or with bound ones, are removed together or not at all.

    A channel has an atom, which passes through norms, activations and depthwise convolutions, and is bound to
    another one where two tensors are added.

    Example:
        >>> atoms = Atoms()
        >>> first, second, third = atoms.fresh(2), atoms.fresh(2), atoms.fresh(2)
        >>> atoms.bind(first, second)
        >>> atoms.pin(third[:1])
        >>> groups = atoms.groups()
        >>> groups[first].tolist() == groups[second].tolist(), bool(groups[third[0]] == groups[PINNED])
        (True, True)
    """

    def __init__(self) -> None:
        self.count = 1
        self._bonds: list[tuple[Axis, Axis]] = []

    def fresh(self, size: int) -> Axis:
        """Returns the axis of a dimension whose indices are independent of all others so far."""
        self.count += size
        return np.arange(self.count - size, self.count)

    def pinned(self, size: int) -> Axis:
        """Returns the axis of a dimension that keeps its size."""
        return np.full(size, PINNED, dtype=np.int64)

    def bind(self, first: Axis, second: Axis) -> None:
        """Binds the atoms of two axes of one size, index by index."""
        if first is not second and not np.array_equal(first, second):
            self._bonds.append((first, second))

    def pin(self, axis: Axis) -> None:
        """Keeps every index of an axis."""
        self.bind(axis, self.pinned(len(axis)))

    def groups(self) -> NDArray[np.int64]:
        """Returns the group of each atom: those that bonds connect have one number."""
        from scipy.sparse import coo_array  # type: ignore[import-untyped, unused-ignore]
        from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped, unused-ignore]

        none = np.zeros(0, dtype=np.int64)
        ends: list[Any] = [np.concatenate([none, *(bond[i] for bond in self._bonds)]) for i in (0, 1)]
        bonds = coo_array((np.ones(len(ends[0]), dtype=bool), tuple(ends)), shape=(self.count, self.count))
        return np.asarray(connected_components(bonds, directed=False)[1], dtype=np.int64)


def reshaped(atoms: Atoms, axes: Axes, before: Sequence[int], after: Sequence[int]) -> Axes:
    """Returns the axes of a tensor after a change of its shape that keeps the order of its elements.

    A dimension that stays keeps its axis. Several that are merged, of which one has atoms, give each index of
    the merged one the atom that it had (channels × height × width). One that is split is bound in blocks, so
    that whole ones can be removed (heads × width of a head). Everything else is pinned.

    Args:
        atoms: The atoms; it gains bonds.
        axes: The axes before.
        before: The shape before.
        after: The shape after.

    Returns:
        The axes after.

    Example:
        >>> atoms = Atoms()
        >>> channels = atoms.fresh(2)
        >>> reshaped(atoms, (atoms.pinned(3), channels, atoms.pinned(2)), (3, 2, 2), (3, 4))[1].tolist()
        [1, 1, 2, 2]
    """
    found: list[Axis] = []
    i = 0
    for sizes_in, sizes_out in _blocks(before, after):
        block = axes[i : i + len(sizes_in)]
        i += len(sizes_in)
        real = [axis for axis in block if axis.any()]
        if tuple(sizes_in) == tuple(sizes_out):
            found += block
        elif len(real) == 1 and len(sizes_out) == 1:
            place = next(k for k, axis in enumerate(block) if axis is real[0])
            shape = [len(axis) if k == place else 1 for k, axis in enumerate(block)]
            found.append(np.broadcast_to(real[0].reshape(shape), sizes_in).reshape(-1))
        elif sizes_out and len(real) == 1 and len(real[0]) == np.prod(sizes_in):
            found += _split(atoms, real[0], sizes_out)
        else:
            for axis in real:
                atoms.pin(axis)
            found += [atoms.pinned(size) for size in sizes_out]
    return tuple(found)


def _blocks(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Returns the smallest runs of dimensions, before and after, that have the same number of elements."""
    found: list[tuple[list[int], list[int]]] = []
    left, right = list(before), list(after)
    while left or right:
        first, second = [left.pop(0)] if left else [], [right.pop(0)] if right else []
        while np.prod(first) != np.prod(second):
            if np.prod(first) < np.prod(second):
                first.append(left.pop(0))
            else:
                second.append(right.pop(0))
        found.append((first, second))
    return found


def _split(atoms: Atoms, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
    """Splits a dimension; the last but one of the new ones, or the one of full size, has the atoms."""
    place = next((k for k, size in enumerate(sizes) if size == len(axis)), max(0, len(sizes) - 2))
    rows = np.moveaxis(axis.reshape(sizes), place, 0).reshape(sizes[place], -1)
    for column in rows.T[1:]:
        atoms.bind(rows[:, 0], column)
    return [rows[:, 0] if k == place else atoms.pinned(size) for k, size in enumerate(sizes)]
