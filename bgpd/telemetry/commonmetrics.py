"""What each of the three processes says of itself, by the same names."""

from typing import Final

from bgpd.telemetry.metric import Kind, Metric, Process

EVERY: Final = (Process.SPEAKER, Process.AGENT, Process.CONTROLLER)

BUILD_INFO: Final = Metric(
    name="bgpd_build_info",
    kind=Kind.GAUGE,
    help="Always 1: the version that runs, and the version of ExaBGP beside it.",
    labels=("version", "exabgp_version", "process"),
    processes=EVERY,
)
CONDITION: Final = Metric(
    name="bgpd_condition",
    kind=Kind.GAUGE,
    help="1 while this condition holds: something that a person should know.",
    labels=("type", "reason"),
    processes=EVERY,
)
EVENTS: Final = Metric(
    name="bgpd_events_total",
    kind=Kind.COUNTER,
    help="Events by name, as in the log; also those that the log leaves out as repeats.",
    labels=("event", "level"),
    processes=EVERY,
)
LOG_LINES_DROPPED: Final = Metric(
    name="bgpd_log_lines_dropped_total",
    kind=Kind.COUNTER,
    help="Lines of the log that were lost because nobody read them in time.",
    processes=EVERY,
)
HTTP_REQUESTS: Final = Metric(
    name="bgpd_http_requests_total",
    kind=Kind.COUNTER,
    help="Requests that were answered on the metrics port.",
    labels=("path", "code"),
    processes=EVERY,
)
HTTP_DROPPED: Final = Metric(
    name="bgpd_http_connections_dropped_total",
    kind=Kind.COUNTER,
    help="Connections to the metrics port that were closed without an answer.",
    labels=("reason",),
    values={"reason": ("slow", "crowded", "broken")},
    processes=EVERY,
)
EXPOSITION_SECONDS: Final = Metric(
    name="bgpd_metrics_exposition_seconds",
    kind=Kind.GAUGE,
    help="Processor time that the scrape before this one took; it is spent in small pieces.",
    processes=EVERY,
)
START_TIME: Final = Metric(
    name="process_start_time_seconds",
    kind=Kind.GAUGE,
    help="When the process started, in seconds since the epoch.",
    processes=EVERY,
)
RESIDENT_BYTES: Final = Metric(
    name="process_resident_memory_bytes",
    kind=Kind.GAUGE,
    help="Memory of the process that is in RAM.",
    processes=EVERY,
)
VIRTUAL_BYTES: Final = Metric(
    name="process_virtual_memory_bytes",
    kind=Kind.GAUGE,
    help="Address space of the process.",
    processes=EVERY,
)
CPU_SECONDS: Final = Metric(
    name="process_cpu_seconds_total",
    kind=Kind.COUNTER,
    help="Processor time that the process used, for itself and in the kernel.",
    processes=EVERY,
)
OPEN_FDS: Final = Metric(
    name="process_open_fds",
    kind=Kind.GAUGE,
    help="File descriptors that the process has open.",
    processes=EVERY,
)
MAX_FDS: Final = Metric(
    name="process_max_fds",
    kind=Kind.GAUGE,
    help="File descriptors that the process may have open.",
    processes=EVERY,
)
