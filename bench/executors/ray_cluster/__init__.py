"""The Ray executor: warm actors on the nodes of a cluster. Only `client.py` imports Ray."""
