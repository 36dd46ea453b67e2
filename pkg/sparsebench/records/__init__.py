"""Records: the contract between the harness that writes them and the reports that read them.

`record.py` has the schema, `fields.py` its parts, `store.py` the file, `schema_1.py` the reader of the older
schema, `hashing.py` identities and seals, `pareto.py` fronts and hypervolumes, `method_docs.py` the
methods.json beside the records. Nothing here imports torch, `bench` or `reports`.
"""
