"""The reason of an exception: whole, printable, within bounds, with its causes and its place."""

import pytest
from sparsebench.errors import SparsebenchError
from sparsebench.reasons import LONGEST, message, reason


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)


class Number(Exception):
    def __str__(self) -> int:  # type: ignore[override]
        return 7


class Leaves(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NoNotes(Exception):
    @property
    def __notes__(self) -> list[str]:
        raise ValueError("no notes")


Odd = type("\x1b[31mOdd\n", (Exception,), {})


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


ERRORS = [
    NoText(),
    Endless(),
    Number(),
    Leaves(),
    NoNotes("x"),
    Odd("x"),
    Odd(),
    Exception("\ud800\x00\x1b]0;t\x07"),
    Exception("x" * 10_000_000),
    Exception(b"\xff"),
    Exception("\x9b31mred\x9b0m"),
    Exception(*range(9999)),
    BaseException(),
    SystemExit(3),
    SparsebenchError(""),
    ExceptionGroup("many", [ValueError(str(i)) for i in range(99)]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: ascii(type(error).__name__))
def test_any_exception_has_a_reason_of_one_printable_line(error: BaseException) -> None:
    for found in (reason(raised(error)), message(raised(error))):
        assert found
        assert found.isprintable()
        assert len(found) <= LONGEST


def test_a_text_that_says_little_is_followed_by_the_place() -> None:
    def check(width: int) -> None:
        assert width == 3

    try:
        check(4)
    except AssertionError as error:
        assert "test_reasons.py" in reason(error)
        assert reason(error).endswith("assert width == 3)")


def test_causes_are_said_once_nearest_first() -> None:
    try:
        try:
            raise OSError("disk is full")
        except OSError as first:
            raise ValueError("cannot save it") from first
    except ValueError as error:
        assert reason(error, place=False) == "ValueError: cannot save it; caused by OSError: disk is full"
    try:
        try:
            raise OSError("disk is full")
        except OSError as first:
            raise ValueError(f"cannot save: {first}") from first
    except ValueError as error:
        assert reason(error, place=False) == "ValueError: cannot save: disk is full"


def test_a_circle_of_causes_ends() -> None:
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    assert reason(a) == "ValueError: a; caused by ValueError: b"


def test_a_long_message_keeps_its_end_and_says_where_the_whole_is() -> None:
    found = reason(ValueError("Missing keys: " + "k, " * 5000 + "the cause at last"), where="workers.log")
    assert found.startswith("ValueError: Missing keys: k, k,")
    assert found.endswith("the cause at last")
    assert "whole in workers.log" in found
