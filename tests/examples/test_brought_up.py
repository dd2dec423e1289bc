"""Each example set is brought up by the units' own lines, and routers hear what it promises."""

from pathlib import Path

import pytest

from tests.exabgp.space import need
from tests.examples.host import Host
from tests.examples.sets import SETS, Set, documents

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ALONE = [one for one in SETS if one.site is None]
_UNPROVEN = "that the example sets work on a host"


@pytest.mark.parametrize("one", ALONE, ids=lambda one: one.name)
def test_the_routers_hear_what_the_set_is_for(one: Set, directory: Path) -> None:
    """Each elastic IP at each router, with its path; gone while nobody answers, and back."""
    need("ip", "unshare", "nsenter", "setpriv", "bird", "birdc", "pgrep", unproven=_UNPROVEN)
    host = Host(one, directory)
    try:
        host.start()
        host.wait_for(one.routes)
        for heard in host.routes().values():
            longer = {prefix for prefix, route in heard.items() if len(route.path) > 1}
            assert longer == one.prepended & heard.keys()
        pools = [each["spec"] for each in documents(one) if each["kind"] == "IPAddressPool"]
        texts = {text for pool in pools if pool.get("bindOnHost") for text in pool["addresses"]}
        bound = {text.partition("/")[0] for text in texts}
        host.wait_until(lambda: bound <= host.addresses(), f"{bound} on the host")
        host.wait_until(lambda: host.told().keys() == one.routes.keys(), "a session with each")
        if one.asked:
            host.fall_silent()
            host.wait_for({name: frozenset() for name in one.routes})
            host.answer()
            host.wait_for(one.routes)
    finally:
        host.close()
