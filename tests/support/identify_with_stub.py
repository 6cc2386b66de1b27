"""Run a command of biovita with the stub in place of BirdNET: ``python -m support.identify_with_stub identify ...``."""

from __future__ import annotations

from biovita.cli import main
from biovita.identification import scoring
from support.stub_listener import stub_encoder

scoring.load_encoder = stub_encoder  # type: ignore[assignment]

if __name__ == "__main__":
    main()
