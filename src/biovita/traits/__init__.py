"""The trait vocabulary, importers of trait tables, and what they cover."""

from biovita.trait_labels import LABELS, Label, TraitGroup, group_of, groups, label

__all__ = ["LABELS", "Label", "TraitGroup", "group_of", "groups", "label"]
