"""The faults of the API server and of the way to it, as values: for `--source kubernetes`."""

from typing import Final

from tests.lab.fault import Fault

API_FAULTS: Final[tuple[Fault, ...]] = ()
