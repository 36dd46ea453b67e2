"""The local executor: warm worker processes on this machine, forked from one that has imported torch."""
