"""`python -m bgpd.ctl` is bgpctl, also where OpenBGPD's has the name on PATH."""

from bgpd.ctl.app import main

if __name__ == "__main__":
    main()
