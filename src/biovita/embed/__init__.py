"""From a dataset to its embeddings, one Lance table a modality, and back to arrays."""

from biovita.embed.failures import Failure, read_failures
from biovita.embed.read import read_vectors
from biovita.embed.run import EmbedReport, ModalityReport, embed
from biovita.embed.texts import texts_of
from biovita.embed.vectors import Vectors

__all__ = [
    "EmbedReport",
    "Failure",
    "ModalityReport",
    "Vectors",
    "embed",
    "read_failures",
    "read_vectors",
    "texts_of",
]
