"""Ogg files without the page that is flagged as the last, as streams and stopped recorders leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biovita.errors import MediaError
from biovita.media import probe_audio, read_clip
from support.sound_files import song, write_sound


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_one_that_ends_with_a_whole_page_is_used_up_to_there(tmp_path: Path, kind: str) -> None:
    whole = write_sound(tmp_path / f"whole.{kind}", song(6, 16_000), 16_000)
    content = whole.read_bytes()
    last = content.rfind(b"OggS")
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(content[:last])
    probe = probe_audio(cut)
    assert any("no page is flagged as the last" in warning for warning in probe.warnings)
    assert 1 < probe.duration_s < probe_audio(whole).duration_s
    got, _ = read_clip(cut, 0.5)
    np.testing.assert_allclose(got, read_clip(whole, 0.5)[0][: len(got)], atol=1e-6)
    cut.write_bytes(content[: last - 7])
    with pytest.raises(MediaError) as caught:
        probe_audio(cut)
    assert caught.value.reason == "truncated"
