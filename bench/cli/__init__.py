"""The command line: `app.py` declares all commands; every other file prints the results of one or two.

Belongs here: options, messages and exit codes. Does not: any work that Python users would want too.
"""

from ..system.import_path import drop_working_folder

drop_working_folder()  # before any other import
