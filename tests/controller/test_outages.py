"""What a controller does while the API server is away."""

from pathlib import Path

from tests.bench.controllers import (
    Witness,
    apply_all,
    controllers,
    pool,
    service,
    until,
)
from tests.chart.installed import install
from tests.cluster.cluster import Cluster


def test_an_outage_costs_neither_an_address_nor_a_process(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    """The leader steps down by itself in time, says so, and works on when the server is back."""
    install(own_cluster)
    own_cluster.apply([pool("p", "203.0.113.0/29")])
    with controllers(own_cluster, tmp_path / "controllers") as running:
        process = running.start("one")
        until(lambda: running.said("one", "controller leading"), "nobody leads")
        apply_all(own_cluster, [service("a"), service("b")])
        with Witness(own_cluster, "default") as witness:
            until(lambda: witness.given == 2, "no addresses")
            before = dict(witness.shown)
            own_cluster.kill_api()
            until(lambda: running.said("one", "not_leading"), "it believes that it leads")
            until(lambda: running.said("one", "LeaseNotHeld"), "it does not say so")
            own_cluster.compact()
            own_cluster.restart_api()
            log = running.log("one")
            until(lambda: log.read_text().count("controller leading") == 2, "nobody leads again")
            apply_all(own_cluster, [service("c")])
            until(lambda: bool(witness.shown.get("c")), "no address after the outage")
            assert {name: witness.shown[name] for name in before} == before
            assert witness.faults == []
        assert process.poll() is None
        assert "(ApiUnreachable) is over" in log.read_text()
        assert "Traceback" not in log.read_text()
