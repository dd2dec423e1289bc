"""Tests of our kinds as the API server knows them."""
