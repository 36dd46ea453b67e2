"""The old path of `models.networks`, which loading snippets of version 0.1 import."""

from .models.networks import *  # noqa: F403
