"""Tests of `bgpd.host`."""
