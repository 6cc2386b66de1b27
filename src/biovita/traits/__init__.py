"""The trait vocabulary, importers of trait tables, and what they cover."""

from biovita.trait_labels import GROUPS, LABELS, Label, TraitGroup, group_of, groups, label

__all__ = ["GROUPS", "LABELS", "Label", "TraitGroup", "group_of", "groups", "label"]
