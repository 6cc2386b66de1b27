"""Make the projections that come with the package: `biovita.load_model("starter")`.

    python scripts/starter_projections.py [--out DIRECTORY] [--seed N]

The recipe is ``starter/names``. It trains on the class vectors and class names of BirdNET and EfficientNet, and on the
package's table of taxa; no recording and no photograph takes part. The same seed gives the same files on one machine.
``LICENSE`` and ``MODEL_CARD.md`` beside them are written by hand: measure anew, as the card says, what is made anew.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from biovita.model import write_model
from biovita.model.formats.projections import WEIGHTS
from biovita.model.formats.projections_config import CONFIG
from biovita.model.landmarks import LANDMARKS
from biovita.model.lookup import find_towers, open_towers
from biovita.model.met import MET
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.names_alone import trained_on_names

OUT = Path(__file__).parents[1] / "src/biovita/model/starter"


def main() -> None:
    """Train, and put the files in their place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIRECTORY")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    asked = parser.parse_args()
    chosen = recipe("starter/names", {"seed": asked.seed}, FrozenRecipe)
    model = trained_on_names(open_towers(find_towers(chosen.model), "cpu"), chosen, progress=True)
    for projection in model.projections.values():
        projection.half()  # the package keeps float16
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        made = write_model(model, Path(scratch) / "model")
        for name in (CONFIG, WEIGHTS, LANDMARKS, MET):
            shutil.copyfile(made / name, asked.out / name)


if __name__ == "__main__":
    main()
