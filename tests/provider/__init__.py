"""Providers: documents, courses, fetching and what the agent makes of them."""
