"""Tests of bgpd: one folder for each room, and labs that run the real parts."""
