"""Say what a machine lacks, and what is therefore not proved there.

A skip is a hole in the proof: its reason names both, so that whoever reads the summary knows what
the green run does not say.
"""

import os
from typing import NoReturn

import pytest


def lacking(missing: str, *, unproven: str, in_ci: bool = False) -> NoReturn:
    """Skip the test; fail it where CI=true, which lacks nothing.

    With *in_ci* it is a skip there too: a kernel that cannot is nobody's mistake.
    """
    sentence = f"{missing}; not proved here: {unproven}"
    if os.environ.get("CI") == "true" and not in_ci:
        pytest.fail(sentence)
    pytest.skip(sentence)


def need_root(*, unproven: str) -> None:
    """Skip unless we may become another user, or make namespaces."""
    if os.geteuid() != 0:
        lacking("we are not root", unproven=unproven)
