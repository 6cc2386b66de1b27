"""The parts of a run that trains towers, each by itself: batches, and the trainer with parts that take notes."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biovita.dataset import Dataset
from biovita.errors import DatasetError, StoppedError
from biovita.modality import Modality
from biovita.training import TowersRecipe, recipe
from biovita.training.log_lines import PartScores, StepLine, ValidationLine
from biovita.training.towers.batches import Feed
from biovita.training.towers.checkpoint import Progress
from biovita.training.towers.decode_failures import Failures
from biovita.training.towers.frozen_vectors import FrozenVectors
from biovita.training.towers.networks import Networks, starting_model
from biovita.training.towers.objective import Objective
from biovita.training.towers.run_log import RunLog
from biovita.training.towers.schedule import phases_of
from biovita.training.towers.sharded import Whole
from biovita.training.towers.stopping import StopRequest
from biovita.training.towers.trainer import Trainer
from biovita.training.towers.training_items import training_items
from support.tiny_training import write_tiny

AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE
STAGE1 = {"phases.atc.epochs": 2, "phases.atc.batch_size": 6}
STAGE2 = {"phases.warmup.epochs": 1, "phases.warmup.batch_size": 6}


def _recipe(stage: int, towers: Path, **settings: Any) -> TowersRecipe:
    few = {"model": str(towers), "audio_model": "none", "pairs.at_most": 4, "pairs.at_least": 2}
    return recipe(f"paper/stage{stage}", {**few, **(STAGE1 if stage == 1 else STAGE2), **settings}, TowersRecipe)


def _networks(chosen: TowersRecipe) -> Networks:
    return Networks(starting_model(chosen, None, "cpu"), logit_scale=chosen.start_logit_scale)


def _feed(chosen: TowersRecipe, networks: Networks, dataset: Dataset, **settings: Any) -> Feed:
    items = training_items(dataset)
    failures = Failures(settings.pop("undecodable", 0.0), {m: len(rows) for m, rows in items.media.items()})
    return Feed(chosen, items, networks.loaders, settings.pop("missing", {}), failures, **settings)


def _batches(feed: Feed) -> list[Any]:
    phase = next(iter(feed.recipe.phases.values()))
    pairs, places = feed.plan(phase, 0, 0)
    return list(feed.load(pairs, places, 0, 0))


def test_sounds_and_pixels_of_a_batch_are_arrays_of_their_own(towers: Path, dataset: Dataset) -> None:
    networks = _networks(chosen := _recipe(2, towers))
    feed = _feed(chosen, networks, dataset)
    pairs, places = feed.plan(chosen.phases["warmup"], 0, 0)
    first = next(iter(feed.load(pairs, places, 0, 0)))
    sounds, pixels = first.inputs[AUDIO], first.inputs[IMAGE]
    assert set(first.inputs) == {AUDIO, IMAGE}
    assert (sounds.dtype, sounds.shape) == (np.float32, (6, networks.audio.loader.samples))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (6, 3, *networks.image.loader.size))
    assert np.array_equal(first.pairs.species, pairs.species[places[0]])
    for at, place in enumerate(places[0].tolist()):
        clip, photograph = (feed.items.item(m, pairs.rows[m][place]) for m in (AUDIO, IMAGE))
        chance = np.random.default_rng([chosen.seed * 16, 0, place])
        assert np.array_equal(sounds[at], networks.audio.loader.random_window(clip, chance))
        assert np.array_equal(pixels[at], networks.image.loader(photograph))


def test_a_modality_without_a_loader_is_not_decoded(towers: Path, dataset: Dataset) -> None:
    networks = _networks(chosen := _recipe(2, towers))
    feed = _feed(chosen, networks, dataset)
    deaf = Feed(chosen, feed.items, {IMAGE: feed.loaders[IMAGE]}, {}, feed.failures)
    assert {modality for batch in _batches(deaf) for modality in batch.inputs} == {IMAGE}


def test_what_does_not_decode_or_is_known_to_be_missing_is_left_out(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data")
    (dataset.path / "media" / "t0-1.wav").write_text("<html>not found</html>")
    networks = _networks(chosen := _recipe(1, towers))
    feed = _feed(chosen, networks, dataset, undecodable=0.1)
    ids = [feed.items.id(AUDIO, row) for batch in _batches(feed) for row in batch.pairs.rows[AUDIO]]
    assert sorted(ids) == sorted({row["id"] for row in dataset.audio.to_pylist()} - {"t0-1"})
    ((modality, item), why), *more = feed.failures.found.items()
    assert (modality, item, more) == (AUDIO, "t0-1", [])
    assert "t0-1.wav" in why
    known = np.array([feed.items.id(AUDIO, row) == "t3-0" for row in range(18)])
    feed = _feed(chosen, networks, dataset, undecodable=0.1, missing={AUDIO: known})
    fewer = [feed.items.id(AUDIO, row) for batch in _batches(feed) for row in batch.pairs.rows[AUDIO]]
    assert sorted(fewer) == sorted(set(ids) - {"t3-0"})
    with pytest.raises(
        DatasetError, match=r"1 of 18 audio training items cannot be decoded, more than the 0\.00%"
    ):
        _batches(_feed(chosen, networks, dataset))


@dataclass
class Notes:
    """Keeps nothing, and takes note of what it was asked for."""

    directory: Path
    events: list[tuple[Any, ...]] = field(default_factory=list)
    states: list[Progress] = field(default_factory=list)

    def save(self, state: Progress, optimiser: torch.optim.Optimizer | None) -> None:
        self.states.append(deepcopy(state))
        self.events.append(("save", state.phase, state.epoch, state.total, optimiser is not None))

    def keep(self, name: str, networks: Networks) -> None:
        assert isinstance(networks, Networks)
        self.events.append(("keep", name))


def _trainer(
    chosen: TowersRecipe, dataset: Dataset, notes: Notes, scores: list[float], stop: StopRequest | None = None
) -> Trainer:
    left = iter(scores)

    def validator(_: Networks) -> dict[str, PartScores]:
        notes.events.append(("validate",))
        return {"unseen": PartScores(next(left), 1.0, 0.5)}

    networks = _networks(chosen)
    feed = _feed(chosen, networks, dataset)
    (notes.directory).mkdir(parents=True, exist_ok=True)
    log = RunLog(notes.directory, writes=True)
    log.begin(0)
    return Trainer(
        chosen,
        phases_of(chosen),
        Objective(chosen, networks, feed.items.prompts, FrozenVectors({}, None), None),
        feed,
        torch.amp.GradScaler("cpu", enabled=False),
        Whole(networks),
        notes,
        validator,
        log,
        stop or StopRequest(),
        Progress(),
    )


@pytest.mark.slow
def test_a_trainer_keeps_and_validates_with_the_parts_it_is_given(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    notes = Notes(tmp_path / "run")
    trainer = _trainer(_recipe(1, towers, checkpoint_steps=2), dataset, notes, [0.5, 0.25])
    trainer.run()
    assert notes.events == [
        ("save", 0, 0, 2, True),
        ("validate",),
        ("keep", "best"),
        ("save", 0, 1, 3, True),
        ("save", 0, 1, 4, True),
        ("validate",),
        ("keep", "last"),
        ("save", 1, 0, 6, False),
    ]
    assert [state.done for state in notes.states] == [False] * 3 + [True]
    assert trainer.state.best == 0.5
    lines = [(type(line), line.total) for line in trainer.log.lines]
    steps = [(StepLine, number) for number in range(6)]
    assert lines == [*steps[:3], (ValidationLine, 3), *steps[3:], (ValidationLine, 6)]
    assert not list((tmp_path / "run").glob("checkpoints")), "nothing is written but what the parts write"


def test_a_trainer_that_is_asked_to_stop_keeps_the_step_at_hand(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    notes, stop = Notes(tmp_path / "run"), StopRequest()
    trainer = _trainer(_recipe(1, towers, validate_epochs=0), dataset, notes, [], stop)
    stop.signal = 15
    with pytest.raises(StoppedError, match=rf"SIGTERM after 1 steps; a checkpoint is in {tmp_path / 'run'}"):
        trainer.run()
    assert notes.events == [("save", 0, 0, 1, True)]
    assert notes.states[0].batch == 1


def test_making_a_trainer_and_its_parts_runs_no_tower(
    towers: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biovita.towers.clap import ClapAudio
    from biovita.towers.open_clip import OpenClipImage, OpenClipText

    ran: list[str] = []
    for tower in (ClapAudio, OpenClipImage, OpenClipText):
        for name in ("load", "encode", "forward", "forward_mel"):
            if hasattr(tower, name):
                monkeypatch.setattr(tower, name, lambda *_, name=name, **__: ran.append(name))
    trainer = _trainer(_recipe(2, towers), dataset, Notes(tmp_path / "run"), [])
    assert trainer.state == Progress()
    assert ran == []


def test_the_rows_of_each_species_are_those_of_a_plain_count(dataset: Dataset, tmp_path: Path) -> None:
    for data in (dataset, write_tiny(tmp_path / "held", unseen=2)):
        items = training_items(data)
        tables: Mapping[Modality, list[dict[str, Any]]] = {
            AUDIO: [row for row in data.audio.to_pylist() if row["split"] == "train"],
            IMAGE: sorted(
                (row for row in data.images.to_pylist() if row["split"] == "train"), key=lambda row: row["path"]
            ),
        }
        species = sorted({row["taxon_id"] for rows in tables.values() for row in rows})
        assert [taxon.id for taxon in items.taxa] == species
        for modality, rows in tables.items():
            assert [items.id(modality, row) for row in range(len(rows))] == [row["id"] for row in rows]
            wanted = [[n for n, row in enumerate(rows) if row["taxon_id"] == each] for each in species]
            assert [found.tolist() for found in items.of_species.rows[modality]] == wanted
