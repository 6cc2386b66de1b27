"""Models on the hub that are known by name, each at a pinned revision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from biovita.errors import ModelError
from biovita.hashing import sha256_of
from biovita.weights.hub import hub_file

__all__ = ["CLIP_IMAGES", "CLIP_TEXTS", "HUB_MODELS", "HubFile", "HubModel"]


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository; size and hash are None where they are not known before it is fetched."""

    name: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub at a pinned revision.

    Attributes
    ----------
    format
        Name of the layout of its files.
    dim
        Length of the vectors.
    images, texts
        What is said of the preprocessing before the files are here; that of the open_clip configuration.
    """

    name: str
    about: str
    repository: str
    revision: str
    license: str
    format: str
    files: tuple[HubFile, ...]
    dim: int
    images: str = ""
    texts: str = ""

    def fetch(self, *, verify: bool = False) -> Path:
        """Return the directory on this machine that has the files, fetching those that are missing.

        Parameters
        ----------
        verify
            Compare the hashes of those files whose hash is known.

        Raises
        ------
        ModelError
            Where a file is not to be had, or is another than it has to be.
        """
        how = (
            f"Get it on a machine with network: biovita models fetch {self.name}. Or copy the files "
            f"{', '.join(file.name for file in self.files)} of {self.repository} into a directory, and give its path "
            "as the model"
        )
        paths = []
        for file in self.files:
            path = hub_file(self.repository, file.name, self.revision, how=how)
            assert path is not None
            if verify and file.sha256 and (found := sha256_of(path)) != file.sha256:
                raise ModelError(
                    f"{path} is not the expected file: its SHA-256 is {found}, not {file.sha256}. Delete it "
                    f"and run: biovita models fetch {self.name}"
                )
            paths.append(path)
        return paths[0].parent

    def here(self) -> Path | None:
        """Return the directory that has all the files on this machine, or None, without asking the network."""
        from huggingface_hub import try_to_load_from_cache

        paths = [try_to_load_from_cache(self.repository, file.name, revision=self.revision) for file in self.files]
        return Path(paths[0]).parent if all(isinstance(path, str) for path in paths) else None  # type: ignore[arg-type]


CLIP_IMAGES = (
    "RGB, shorter side resized, central crop, 224 x 224 px bicubic, mean 0.4815 0.4578 0.4082, "
    "std 0.2686 0.2613 0.2758"
)
CLIP_TEXTS = "77 tokens, cut or filled up"
_CONFIG = "open_clip_config.json"

HUB_MODELS: dict[str, HubModel] = {
    model.name: model
    for model in (
        HubModel(
            name="biovita",
            about="the published BioVITA model: one space for sound, image and text; 581,502,619 parameters, 2.3 GB",
            repository="risashinoda/BioVITA",
            revision="64aea8edfcc846842a167944f4a5a052d932d0b4",
            license="MIT",
            format="published",
            files=(HubFile(_CONFIG), HubFile("open_clip_pytorch_model.bin"), HubFile("clap_weights.pth")),
            dim=768,
            images=CLIP_IMAGES,
            texts=CLIP_TEXTS,
        ),
        HubModel(
            name="bioclip-2",
            about="BioCLIP 2, ViT-L/14: images and names; 427,616,513 parameters",
            repository="imageomics/bioclip-2",
            revision="2957b322090f9cb17ae72c71981c7218a28d81e0",
            license="MIT",
            format="open_clip",
            files=(
                HubFile(_CONFIG, 534, "1bf947e96e943fe50efd5c3e26c37f843a2fa3c358967719a68c8a6d17ce68c8"),
                HubFile(
                    "open_clip_model.safetensors",
                    1_710_517_724,
                    "b7b2bf6fbc95799e42630e394cf95803892ab447c1a8ab629dbc82fbeaf7dfef",
                ),
            ),
            dim=768,
            images=CLIP_IMAGES,
            texts=CLIP_TEXTS,
        ),
        HubModel(
            name="bioclip-2.5",
            about="BioCLIP 2.5 Huge, ViT-H/14: images and names; 986,109,441 parameters",
            repository="imageomics/bioclip-2.5-vith14",
            revision="6e3d04e3d6522012c88181085c5ae666e14c45cd",
            license="MIT",
            format="open_clip",
            files=(
                HubFile(_CONFIG, 560, "4c131846348300c77b5bee06690b0e94ee85ca9ce9a30a853b36084d00dcd25c"),
                HubFile(
                    "open_clip_model.safetensors",
                    3_944_517_804,
                    "ac2e37c2f89ef8e6b889176a9a3f418970ad9db15a218bd29e3321e95c46ae97",
                ),
            ),
            dim=1024,
            images=CLIP_IMAGES,
            texts=CLIP_TEXTS,
        ),
        HubModel(
            name="clap",
            about="CLAP's audio tower, HTS-AT, trained on general sound; 153,492,890 parameters, 0.6 GB",
            repository="laion/clap-htsat-unfused",
            revision="8fa0f1c6d0433df6e97c127f64b2a1d6c0dcda8a",
            license="Apache-2.0",
            format="clap",
            files=(HubFile("config.json"), HubFile("preprocessor_config.json"), HubFile("pytorch_model.bin")),
            dim=512,
        ),
    )
}
