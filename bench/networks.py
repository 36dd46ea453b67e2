"""The public path of `models.networks`, which loading snippets import."""

from .models.networks import *  # noqa: F403
