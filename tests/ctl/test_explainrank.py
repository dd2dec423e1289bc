"""Why a route ranks as it does: the cause of a doubt is named, not only the doubt."""

from dataclasses import replace

import pytest

from bgpd.ctl.explainrank import why_rank
from bgpd.model.route import RANK_DOUBT
from bgpd.model.status import SpeakerStatus
from tests.ctl.samples import MESH, SPEAKER

HELD = replace(SPEAKER, mesh=replace(MESH, quarantined=True))


@pytest.mark.parametrize(
    ("speaker", "doubt", "why"),
    [
        pytest.param(
            SPEAKER,
            ("kube-proxy has been unhealthy for 12 s",),
            "the node is in doubt (kube-proxy has been unhealthy for 12 s)",
            id="the agent doubts its node",
        ),
        pytest.param(
            HELD,
            (),
            "the others took over from this node three times within ten minutes and hold it in"
            " quarantine",
            id="the others hold it in quarantine",
        ),
        pytest.param(
            replace(SPEAKER, agent_connected=False), (), "the agent is away", id="no agent"
        ),
        pytest.param(SPEAKER, (), "the node is in doubt", id="nobody says why any longer"),
    ],
)
def test_rank_250_is_explained_by_its_cause(
    speaker: SpeakerStatus, doubt: tuple[str, ...], why: str
) -> None:
    """Each of the three that may ask for it leads a person elsewhere."""
    assert why_rank(RANK_DOUBT, "203.0.113.9/32", speaker, doubt) == why
