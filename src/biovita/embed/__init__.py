"""From items to vectors, one table a modality, and back to arrays."""

from biovita.embed.container import Matrix, Vectors
from biovita.embed.engine import Embedded, Settings, embed_items
from biovita.embed.failures import Failure, read_failures, write_failures
from biovita.embed.items import Items, dataset_items, text_items
from biovita.embed.lance_table import LanceStore, LanceTable
from biovita.embed.memory_table import MemoryStore, MemoryTable
from biovita.embed.run import EmbedReport, ModalityReport, embed
from biovita.embed.store import VectorStore, VectorTable, embeddings_directory, read
from biovita.embed.texts import texts_of
from biovita.embed.vectors import stored, vectors

__all__ = [
    "EmbedReport",
    "Embedded",
    "Failure",
    "Items",
    "LanceStore",
    "LanceTable",
    "Matrix",
    "MemoryStore",
    "MemoryTable",
    "ModalityReport",
    "Settings",
    "VectorStore",
    "VectorTable",
    "Vectors",
    "dataset_items",
    "embed",
    "embed_items",
    "embeddings_directory",
    "read",
    "read_failures",
    "stored",
    "text_items",
    "texts_of",
    "vectors",
    "write_failures",
]
