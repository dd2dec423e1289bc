"""The world that most stories of the reflex begin in."""

import pytest

from tests.speaker.world import World, med


@pytest.fixture(name="world")
def running_world() -> World:
    """Return three nodes that advertise at generation 1."""
    world = World()
    world.run_until(lambda: all(node.meds() == {med(1)} for node in world.nodes.values()))
    return world
