"""The table of samples: what each document of a provider means, and what each field of it does.

A new adapter gets its documents into `samples/` (with the public source of each) and a table of
its own beside this one: a line in `SAMPLES` for each document, and rules for the fields that it
reads.
"""

from typing import Final

from tests.provider import annotationstable, cherrytable, packettable, phoenixnaptable, vultrtable

KEYS: Final = (packettable.KEY, phoenixnaptable.KEY)
"""Passwords that no sentence, log or status may hold."""
SAMPLES: Final = (
    *packettable.SAMPLES,
    *vultrtable.SAMPLES,
    *cherrytable.SAMPLES,
    *phoenixnaptable.SAMPLES,
    *annotationstable.SAMPLES,
)
