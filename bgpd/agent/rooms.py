"""The parts of a running agent by name, for those that have a question for many of them."""

from dataclasses import dataclass

from bgpd.agent.deciding import Deciding
from bgpd.agent.departing import Departing
from bgpd.agent.hosting import Hosting
from bgpd.agent.link import Link
from bgpd.agent.planner import Planner
from bgpd.agent.providing import Providing
from bgpd.agent.recollection import Recollection
from bgpd.agent.replies import Replies
from bgpd.agent.watching import Watching
from bgpd.kube.kept import KeptSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What the driver put together."""

    source: KeptSource
    planner: Planner
    deciding: Deciding
    watching: Watching
    providing: Providing
    replies: Replies
    hosting: Hosting
    link: Link
    departing: Departing
    disk: Recollection
