"""Tests of what the chart ships."""
