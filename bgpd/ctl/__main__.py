"""`python -m bgpd.ctl` is bgpctl, also where OpenBGPD's has the name on PATH."""

from bgpd.ctl.start import main

if __name__ == "__main__":
    main()
