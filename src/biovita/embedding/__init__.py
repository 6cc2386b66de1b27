"""From items to vectors, one table a modality, and back to arrays."""

from biovita.embedding.container import Matrix, Vectors
from biovita.embedding.dataset_vectors import EmbedReport, ModalityReport, embed
from biovita.embedding.engine import Embedded, Settings, embed_items
from biovita.embedding.failures import Failure, read_failures, write_failures
from biovita.embedding.items import Items, dataset_items, text_items
from biovita.embedding.lance_table import LanceStore, LanceTable
from biovita.embedding.memory_table import MemoryTable
from biovita.embedding.store import VectorTable, embeddings_directory, read
from biovita.embedding.texts import texts_of
from biovita.embedding.vectors import stored, vectors

__all__ = [
    "EmbedReport",
    "Embedded",
    "Failure",
    "Items",
    "LanceStore",
    "LanceTable",
    "Matrix",
    "MemoryTable",
    "ModalityReport",
    "Settings",
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
