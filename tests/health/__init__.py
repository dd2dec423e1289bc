"""Tests of `bgpd.health`."""
