"""The published schedule: which names the parts of the towers have, and the weights of the full phase."""

from __future__ import annotations

AUDIO = ("clap.audio_model.", "clap.audio_projection.")
TOP = ("proj", "final_layer", "layers.11")
ENDS = ("clip.positional_embedding", "clip.ln_final.", "clip.text_projection")
TEXT = ("clip.transformer.", "clip.token_embedding.", *ENDS)
ADAPTER, SCALE = "adapter.weight", "log_scale"

#        step   l_av           l_vt
WEIGHTS = {
    0: (0.0, 0.0),
    1: (0.1 / 600, 0.1 / 300),
    299: (29.9 / 600, 29.9 / 300),
    300: (0.05, 0.1),
    599: (59.9 / 600, 0.1),
    600: (0.1, 0.1),
}
