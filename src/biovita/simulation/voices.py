"""The kinds of call: what one note is like, how notes follow each other, and the word for it in a name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["VOICES", "VoiceKind"]


@dataclass(frozen=True, slots=True)
class VoiceKind:
    """A kind of call before a species bends it.

    Attributes
    ----------
    word
        What a common name calls it ("Trill-wren").
    mode
        ``tone``: frequency-modulated harmonics; ``pulse``: a train of damped resonances; ``noise``: filtered noise.
    hz
        Frequency of the note's strongest part at size 0.
    note_s, rate
        Length of a note; notes a second within a phrase.
    notes, pause_s
        Notes in a phrase; silence between phrases.
    slope, arch
        Change of pitch over a note, and its rise and fall, in octaves.
    harmonics, rolloff_db
        Number of harmonics, and how much weaker each is than the one before.
    noise
        Share of noise in a note, 0 to 1.
    am_hz
        Amplitude modulation of a note, or pulses a second where ``mode`` is ``pulse``; 0 is none.
    variety
        Spread in octaves of the notes of a phrase.
    """

    word: str
    mode: str
    hz: float
    note_s: float
    rate: float
    notes: float
    pause_s: float
    slope: float = 0.0
    arch: float = 0.0
    harmonics: int = 2
    rolloff_db: float = 18.0
    noise: float = 0.0
    am_hz: float = 0.0
    variety: float = 0.0


VOICES: dict[str, VoiceKind] = {
    # birds
    "whistle": VoiceKind("Whistle", "tone", 2600, 0.32, 2.2, 4, 1.0, slope=0.15, variety=0.25),
    "trill": VoiceKind("Trill", "tone", 4200, 0.035, 16, 24, 0.8, slope=-0.5, rolloff_db=20),
    "warble": VoiceKind("Warble", "tone", 3300, 0.10, 7, 14, 0.9, slope=-0.2, arch=0.3, variety=0.45),
    "chirp": VoiceKind("Chirp", "tone", 3400, 0.09, 3.2, 3, 0.6, slope=-0.5, harmonics=3, rolloff_db=14),
    "buzz": VoiceKind("Buzz", "tone", 4800, 0.45, 1.6, 3, 0.7, harmonics=2, noise=0.3, am_hz=95),
    "twitter": VoiceKind("Twitter", "tone", 5400, 0.05, 11, 16, 0.6, slope=0.4, variety=0.5),
    "hoot": VoiceKind("Hoot", "tone", 480, 0.36, 1.7, 4, 1.1, arch=0.12, harmonics=3, rolloff_db=20),
    "coo": VoiceKind("Coo", "tone", 620, 0.55, 1.3, 3, 0.9, arch=0.25, harmonics=2, rolloff_db=22, am_hz=22),
    "caw": VoiceKind("Caw", "tone", 950, 0.34, 2.0, 3, 0.9, arch=0.15, harmonics=12, rolloff_db=3, noise=0.3),
    "screech": VoiceKind("Screech", "tone", 2100, 0.8, 0.9, 1, 1.0, slope=-0.55, harmonics=5, rolloff_db=7, noise=0.25),
    "quack": VoiceKind("Quack", "tone", 640, 0.17, 3.6, 5, 0.8, slope=-0.2, harmonics=16, rolloff_db=2, noise=0.15),
    "mew": VoiceKind("Mew", "tone", 1250, 0.5, 1.5, 4, 0.8, arch=0.5, harmonics=7, rolloff_db=6),
    "peep": VoiceKind("Peep", "tone", 3500, 0.12, 5, 3, 0.8, slope=0.25, harmonics=2, rolloff_db=16),
    "drum": VoiceKind("Drum", "pulse", 1300, 0.9, 1, 1, 1.2, am_hz=19, noise=0.5),
    "rattle": VoiceKind("Rattle", "tone", 2300, 0.05, 13, 14, 0.8, slope=-0.3, harmonics=5, rolloff_db=5, noise=0.35),
    "chatter": VoiceKind("Chatter", "tone", 1700, 0.11, 6, 9, 0.7, arch=0.3, harmonics=8, rolloff_db=4, noise=0.2,
                         variety=0.35),
    "boom": VoiceKind("Boom", "tone", 210, 0.6, 0.9, 2, 1.2, harmonics=3, rolloff_db=14),
    "tick": VoiceKind("Tick", "tone", 6800, 0.018, 6, 10, 0.5, slope=-0.6, harmonics=1),
    # mammals
    "squeak": VoiceKind("Squeak", "tone", 6200, 0.08, 4.5, 5, 0.7, arch=0.35, harmonics=3, rolloff_db=10),
    "chuck": VoiceKind("Chuck", "tone", 2400, 0.05, 7, 10, 0.7, slope=-0.8, harmonics=4, rolloff_db=6, noise=0.35),
    "bark": VoiceKind("Bark", "tone", 620, 0.17, 2.4, 4, 0.9, arch=0.4, harmonics=14, rolloff_db=3, noise=0.35),
    "howl": VoiceKind("Howl", "tone", 560, 1.5, 0.55, 1, 0.9, arch=0.45, harmonics=5, rolloff_db=8),
    "bleat": VoiceKind("Bleat", "tone", 480, 0.7, 1.1, 2, 0.9, harmonics=14, rolloff_db=3, am_hz=13),
    "growl": VoiceKind("Growl", "tone", 130, 1.0, 0.9, 1, 0.8, harmonics=22, rolloff_db=2, noise=0.4, am_hz=26),
    "grunt": VoiceKind("Grunt", "tone", 190, 0.2, 2.4, 5, 0.8, slope=-0.3, harmonics=16, rolloff_db=2.5, noise=0.4),
    "click": VoiceKind("Click", "tone", 9500, 0.014, 9, 30, 0.4, slope=-0.9, harmonics=1),
    "whoop": VoiceKind("Whoop", "tone", 640, 0.6, 1.4, 4, 0.9, slope=0.9, harmonics=4, rolloff_db=10),
    "bellow": VoiceKind("Bellow", "tone", 240, 1.2, 0.7, 1, 1.0, slope=-0.3, harmonics=16, rolloff_db=3, noise=0.2),
    # frogs
    "pipe": VoiceKind("Pipe", "tone", 2800, 0.14, 2.2, 8, 0.6, slope=0.2, harmonics=2, rolloff_db=20),
    "croak": VoiceKind("Croak", "pulse", 950, 0.55, 1.2, 3, 0.7, am_hz=42, noise=0.1),
    "purr": VoiceKind("Purr", "pulse", 1800, 2.6, 0.4, 1, 0.5, am_hz=30),
    "ribbit": VoiceKind("Ribbit", "pulse", 1500, 0.2, 3.0, 2, 0.5, slope=0.5, am_hz=75, noise=0.1),
    "plonk": VoiceKind("Plonk", "tone", 420, 0.16, 1.4, 3, 0.8, slope=-0.5, harmonics=4, rolloff_db=9),
    "snore": VoiceKind("Snore", "pulse", 520, 1.3, 0.7, 1, 0.6, am_hz=24, noise=0.35),
    # insects
    "chirr": VoiceKind("Chirr", "tone", 4700, 0.02, 30, 3, 0.28, harmonics=2, rolloff_db=22),
    "thrum": VoiceKind("Thrum", "tone", 3600, 0.016, 42, 180, 0.4, harmonics=2, rolloff_db=22),
    "rasp": VoiceKind("Rasp", "noise", 8500, 0.32, 1.8, 3, 0.5, am_hz=55),
    "lisp": VoiceKind("Lisp", "noise", 11000, 0.06, 9, 20, 0.5, am_hz=0),
    "drone": VoiceKind("Drone", "noise", 5200, 2.6, 0.35, 1, 0.3, am_hz=120),
    "hum": VoiceKind("Hum", "tone", 240, 1.6, 0.55, 1, 0.3, arch=0.1, harmonics=18, rolloff_db=2.2, noise=0.1),
    "zip": VoiceKind("Zip", "noise", 7000, 0.18, 3.2, 6, 0.5, slope=0.5, am_hz=140),
    "creak": VoiceKind("Creak", "pulse", 3200, 0.3, 1.6, 4, 0.6, am_hz=60, noise=0.3),
}  # fmt: skip
