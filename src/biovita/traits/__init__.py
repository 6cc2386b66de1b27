"""The trait vocabulary, importers of trait tables, and what they cover."""

from biovita.traits.vocabulary import GROUPS, LABELS, Group, Label, group_of, groups, label

__all__ = ["GROUPS", "LABELS", "Group", "Label", "group_of", "groups", "label"]
