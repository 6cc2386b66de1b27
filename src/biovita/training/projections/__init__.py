"""Projections of frozen towers, trained on vectors that are kept."""
