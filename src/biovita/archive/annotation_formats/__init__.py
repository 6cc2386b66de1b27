"""Annotations in the formats of others: one module a format, and the tables of writers and readers."""
