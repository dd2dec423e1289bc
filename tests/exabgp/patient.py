"""The launcher with a reactor that waits a minute: what nobody wakes it for does not happen.

`python -m tests.exabgp.patient`, with the launcher's options.
"""

import sys

from bgpd.exabgp import launcher, reactor

if __name__ == "__main__":
    vars(reactor).update(LONG_WAIT=60_000, OVERDUE_WAIT=60_000)
    sys.exit(launcher.main())
