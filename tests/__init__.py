"""The tests; ``tests/README.md`` says which tier is where."""

import os
import sys

# What is compiled is kept, whatever the environment says: each worker and each process
# of the bot would compile hypothesis' and our modules anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
