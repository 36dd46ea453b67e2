"""Commands that are shown to be typed again: those of files that anybody may have written."""

import shlex

UNKNOWN = "(not a command of sparsebench)"
TRAIN = (
    "--dataset", "--model", "--method", "--set", "--epochs", "--data-arg", "--model-arg", "--keep-dense",
    "--seed", "--threads", "--device", "--plugin",
)  # fmt: skip


def shown_command(text: str) -> str:
    """Returns a stored command as it may be shown: all of it is words of a sparsebench command.

    Args:
        text: A command that was read from a file.

    Returns:
        `sparsebench run …`, or `sparsebench train …` with the options that describe a trial, every word
        quoted for a shell. For anything else a text that is no command.

    Example:
        >>> shown_command("sparsebench train --model lenet5 --seed 0")
        'sparsebench train --model lenet5 --seed 0'
        >>> shown_command("sparsebench train --model lenet5; rm -rf ~")
        '(not a command of sparsebench)'
        >>> shown_command("sparsebench run 'my suite.toml' --out `id`")
        "sparsebench run 'my suite.toml' --out '`id`'"
    """
    try:
        words = shlex.split(text)
    except ValueError:
        return UNKNOWN
    if not text.isprintable() or words[:1] != ["sparsebench"] or words[1:2] not in (["run"], ["train"]):
        return UNKNOWN
    if words[1] == "train" and (len(words) % 2 or not set(words[2::2]) <= set(TRAIN)):
        return UNKNOWN
    return shlex.join(words)
