"""Root without capabilities: a user like any other, whom owners of files let in by his name."""

from typing import Final

POWERLESS: Final = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
"""What stands before the command line of a program that shall have none."""
