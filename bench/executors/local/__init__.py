"""The local executor: warm worker processes on this machine, forked from a server that has imported torch."""
