"""The commands, a file each: what is typed, and what is printed of what it comes to.

Each imports what it needs when it is called, so that ``--help`` is quick.
"""
