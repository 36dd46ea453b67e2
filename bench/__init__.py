"""The harness: a suite becomes trials, trials become records, records are searched, tracked and shown.

One package a job, from the lowest floor up: `config`, `system`, `models` and `measurement`; `training`,
`search`, `tracking`, `output_folder` and `exchange`; `executors`, `export`; `progress`; `campaign`; `cli`.
Imports run downwards only. A new file goes into the package whose first line describes it.
"""
