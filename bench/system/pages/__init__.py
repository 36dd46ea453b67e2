"""Pages that are served to the user alone: a server on the loopback address, behind a token."""
