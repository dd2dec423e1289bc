"""Settings that every test shares, and which process takes which tests where there are several."""

from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.cluster.fixtures"]

# A noisy machine may take long over one example; a deadline would test the machine.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

LAB: Final = "lab"
_BESIDE: Final = "lab-beside"
_GROUPS: Final = {
    LAB: ("tests/lab/test_faults.py", "tests/bfd/test_steady.py", "tests/e2e/"),
    _BESIDE: ("tests/lab/", "tests/interop/", "tests/docs/", "tests/questions/"),
}
"""Tests with networks of several nodes: so many at a time as there are groups, and no more."""
_FIRST: Final = (LAB, _BESIDE, "tests/chart/test_effects.py", "tests/image/test_image.py")
"""The longest groups: whoever took one of them last would work on alone."""


class Grouped(LoadScopeScheduling):  # type: ignore[misc]
    """Give one process a whole group, so that the fixtures of a file are made once."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Grouped:
    """Have several processes take groups, not tests: `-n 2 --no-loadscope-reorder`.

    The marks of `--dist loadgroup` come to nothing with pytest 9.2, whose tests keep their names.
    """
    return Grouped(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    order = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(group(item.nodeid), len(order)))


def group(test: str) -> str:
    """Return the group of the *test* of that name: the first that names its file, else the file."""
    file = test.partition("::")[0]
    return next((name for name, paths in _GROUPS.items() if file.startswith(paths)), file)
