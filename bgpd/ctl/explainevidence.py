"""What an agent saw at each gate that a Service passed, in a sentence: the ticks of `explain`."""

from bgpd.ctl.columns import counted
from bgpd.ctl.explainlink import Subject
from bgpd.model.grounds import AddressGrounds, Grounds


def evidence(gate: str, subject: Subject) -> str:
    """Return what the gate named *gate* saw of *subject*; empty where nobody says it."""
    grounds, address = subject.grounds, subject.address
    if grounds is None:
        return ""
    match gate:
        case "type":
            return f"Service {grounds.service} is of type LoadBalancer"
        case "class":
            return f"loadBalancerClass {grounds.class_wanted or '(none)'}, as this agent serves"
        case "endpoints":
            return endpoints_text(grounds, subject.node)
        case "health":
            return _checks(grounds)
        case _:
            return "" if address is None else _of_address(gate, address)


def _of_address(gate: str, address: AddressGrounds) -> str:
    match gate:
        case "address":
            return address.text
        case "pool":
            return f"IPAddressPool {address.pool}" if address.pool else ""
        case "advertisement":
            return f"BGPAdvertisement {', '.join(address.matching)}" if address.matching else ""
        case "peers":
            return ", ".join(address.peers)
        case _:
            return ""


def endpoints_text(grounds: Grounds, node: str) -> str:
    """Return where the endpoints are, as far as this node's part in it matters."""
    here = grounds.endpoints.get(node, 0)
    elsewhere = sum(grounds.endpoints.values()) - here
    policy = "Local" if grounds.local else "Cluster"
    rest = f", {grounds.not_serving} not ready" if grounds.not_serving else ""
    what = counted(here, "ready endpoint")
    return f"{what} here, {elsewhere} elsewhere{rest} (externalTrafficPolicy {policy})"


def _checks(grounds: Grounds) -> str:
    names = [f"HealthCheck {one}" for one in grounds.checks]
    if grounds.port_asked:
        names.append(f"healthCheckNodePort {grounds.port_asked}")
    return ", ".join(names) if names else "nothing is asked"
