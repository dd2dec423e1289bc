"""What a peer names and nobody has is told, and costs no session."""

from collections.abc import Collection

import pytest

from tests.policy.build import Cluster, peer


@pytest.mark.parametrize(
    ("profiles", "told"),
    [
        pytest.param(("fast",), 0, id="a profile that is there is not missing"),
        pytest.param((), 1, id="a profile that nobody has is missing"),
        pytest.param(None, 0, id="where profiles are not read, nothing is known of them"),
    ],
)
def test_a_profile_that_is_not_there(profiles: Collection[str] | None, told: int) -> None:
    """The peer keeps its session, and a condition names what is missing."""
    context = Cluster(peers=(peer(bfd_profile="fast"),), bfd_profiles=profiles).context()
    missing = [one for one in context.conditions if one.type == "ReferenceMissing"]
    assert len(missing) == told
    assert all("spec.bfdProfile names BFDProfile fast" in one.message for one in missing)
    assert len(context.peers) == 1
