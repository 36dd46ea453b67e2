"""Knobs as Optuna's parameters: their distributions, names, and values in both directions."""

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ...methods.api import Knob


def distribution(knob: Knob) -> BaseDistribution:
    """Returns a knob's range for Optuna. A sparsity s is sampled as the compression 1/(1-s), log-uniform.

    Args:
        knob: The knob, which has a range or choices.

    Returns:
        The distribution of its parameter.

    Example:
        >>> distribution(Knob(0.9, low=0.5, high=0.99, scale="density"))
        FloatDistribution(high=..., log=True, low=2.0, step=None)
    """
    if knob.choices:
        return CategoricalDistribution(knob.choices)
    if isinstance(knob.default, bool):
        return CategoricalDistribution((False, True))
    assert knob.low is not None
    assert knob.high is not None
    if knob.scale == "density":
        return FloatDistribution(1 / (1 - knob.low), 1 / (1 - knob.high), log=True)
    if knob.scale == "minus_log":
        return FloatDistribution(-knob.high, -knob.low, log=True)
    if isinstance(knob.default, int):
        return IntDistribution(int(knob.low), int(knob.high), log=knob.scale == "log")
    return FloatDistribution(knob.low, knob.high, log=knob.scale == "log")


def parameter(name: str, knob: Knob) -> str:
    """Returns the name of a knob's Optuna parameter; a prefix marks a transformed scale.

    Args:
        name: The knob's name.
        knob: The knob.

    Returns:
        The parameter's name.

    Example:
        >>> parameter("sparsity", Knob(0.9, low=0.5, high=0.99, scale="density"))
        'compression_for_sparsity'
    """
    prefix = {"density": "compression_for_", "minus_log": "minus_"}.get(knob.scale, "")
    return prefix + name


def value_of(knob: Knob, asked: Any) -> Any:
    """Returns the knob's value for a value of its Optuna parameter.

    Args:
        knob: The knob; `scale` decides the transformation: 1 - 1/x for "density", -x for "minus_log".
        asked: What Optuna sampled, on the scale of the parameter.

    Returns:
        The value, rounded to four significant digits so that it can be typed, and within `low`…`high`.

    Example:
        >>> sparsity = Knob(0.9, low=0.5, high=0.99, scale="density")
        >>> value_of(sparsity, 20.0)  # compression 20
        0.95
    """
    if not isinstance(asked, float) or knob.choices:
        return asked
    value = float(f"{asked:.4g}")
    if knob.scale == "density":
        value = round(1 - 1 / value, 6)
    elif knob.scale == "minus_log":
        value = -value
    assert knob.low is not None
    assert knob.high is not None
    return min(max(value, knob.low), knob.high)


def asked_for(knob: Knob, value: Any) -> Any:
    """Returns the value of the Optuna parameter for a knob's value; the inverse of `value_of`.

    Args:
        knob: The knob.
        value: Its value.

    Returns:
        The value on the scale of the parameter.

    Example:
        >>> asked_for(Knob(-10.0, low=-100.0, high=-5.0, scale="minus_log"), -20.0)
        20.0
    """
    if knob.scale == "density":
        return 1 / (1 - value)
    return -value if knob.scale == "minus_log" else value
