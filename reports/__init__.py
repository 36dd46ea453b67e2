"""Reports: from records alone to statistics, tables, figures and a site. No torch, nothing of `bench`.

`write.py` writes every file of a report; `analysis` makes numbers, `tables`, `figures` and `site` show them.
"""
