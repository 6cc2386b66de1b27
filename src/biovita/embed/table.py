"""It goes once nothing imports it."""

from __future__ import annotations

from biovita.embed.store import embeddings_directory

__all__ = ["embeddings_directory"]
