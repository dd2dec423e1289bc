"""What the agent exposes: elastic IPs, health, what it hears of the cluster, its reconciling."""

from typing import Final

from bgpd.model.health import Health
from bgpd.telemetry.metric import Kind, Metric, Process

_AGENT: Final = (Process.AGENT,)

# Elastic IPs

ELASTIC_IPS: Final = Metric(
    name="bgpd_elastic_ips",
    kind=Kind.GAUGE,
    help="Elastic IPs of this cluster by what this node does with them: advertised to a router at"
    " least, or withheld.",
    labels=("state",),
    values={"state": ("Advertised", "Withheld")},
    processes=_AGENT,
)
ELASTIC_IP_ADVERTISED: Final = Metric(
    name="bgpd_elastic_ip_advertised",
    kind=Kind.GAUGE,
    help="Whether this node offers the elastic IP to a router; absent where there are too many.",
    labels=("elastic_ip", "service"),
    processes=_AGENT,
)
ELASTIC_IP_HEALTHY: Final = Metric(
    name="bgpd_elastic_ip_healthy",
    kind=Kind.GAUGE,
    help="Whether nothing about health keeps this node from serving the elastic IP; absent where"
    " there are too many.",
    labels=("elastic_ip", "service"),
    processes=_AGENT,
)
ELASTIC_IP_SERIES: Final = Metric(
    name="bgpd_elastic_ip_series",
    kind=Kind.GAUGE,
    help="Whether each elastic IP has series of its own; 0 beyond --metrics-elastic-ips.",
    processes=_AGENT,
)

# Health

HEALTH_CHECK_UP: Final = Metric(
    name="bgpd_health_check_up",
    kind=Kind.GAUGE,
    help="Whether this check of the Service passes on this node; absent while it is not known.",
    labels=("service", "check"),
    processes=_AGENT,
)
HEALTH_PROBES: Final = Metric(
    name="bgpd_health_probes_total",
    kind=Kind.COUNTER,
    help="Probes that were sent, by their answer.",
    labels=("result",),
    values={"result": ("passed", "failed")},
    processes=_AGENT,
)
NODE_HEALTH: Final = Metric(
    name="bgpd_node_health",
    kind=Kind.GAUGE,
    help="1 for what is believed of this part of the node, 0 for all others.",
    labels=("fact", "health"),
    values={"health": tuple(Health)},
    processes=_AGENT,
)
NODE_IN_DOUBT: Final = Metric(
    name="bgpd_node_in_doubt",
    kind=Kind.GAUGE,
    help="Whether the routes of this node rank 250, behind those of nodes that are well.",
    processes=_AGENT,
)

# Reconciling

RECONCILE_SECONDS: Final = Metric(
    name="bgpd_reconcile_duration_seconds",
    kind=Kind.HISTOGRAM,
    help="How long it took to decide what this node advertises, from a change that was seen.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    processes=_AGENT,
)
LAST_RECONCILE: Final = Metric(
    name="bgpd_last_successful_reconcile_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When it was last decided what this node advertises, or found that nothing changed;"
    " 0 before the first time.",
    processes=_AGENT,
)
SPEAKER_CONNECTED: Final = Metric(
    name="bgpd_speaker_connected",
    kind=Kind.GAUGE,
    help="Whether the agent is connected to the speaker of its node.",
    processes=_AGENT,
)

# What is heard of the cluster

SOURCE_SYNCED: Final = Metric(
    name="bgpd_source_synced",
    kind=Kind.GAUGE,
    help="Whether every kind of document was listed once; until then nothing is withdrawn.",
    processes=(Process.AGENT, Process.CONTROLLER),
)
DOCUMENTS: Final = Metric(
    name="bgpd_documents",
    kind=Kind.GAUGE,
    help="Documents of configuration: in force, or refused and so replaced by the last good one.",
    labels=("state",),
    values={"state": ("InForce", "Refused")},
    processes=_AGENT,
)
KUBE_LAST_HEARD: Final = Metric(
    name="bgpd_kube_watch_last_heard_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When the quietest of all watches of the API was heard last; absent without an API.",
    processes=(Process.AGENT, Process.CONTROLLER),
)
KUBE_ERRORS: Final = Metric(
    name="bgpd_kube_watch_errors_total",
    kind=Kind.COUNTER,
    help="Lists and watches of the API that failed, by why.",
    labels=("reason",),
    processes=(Process.AGENT, Process.CONTROLLER),
)

# Host and provider

HOST_RESTORED: Final = Metric(
    name="bgpd_host_restored_total",
    kind=Kind.COUNTER,
    help="What another program took away from this host's network and the agent put back.",
    labels=("what",),
    values={"what": ("routes", "addresses", "interface")},
    processes=_AGENT,
)
PROVIDER_LAST_SUCCESS: Final = Metric(
    name="bgpd_provider_last_success_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When the provider of this BGPPeer last said who the peers are; absent before.",
    labels=("peer",),
    processes=_AGENT,
)
