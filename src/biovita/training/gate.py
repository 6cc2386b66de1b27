"""The gate and the guard of the published schedule: both keep a stage 2 from losing what stage 1 learned."""

from __future__ import annotations

from dataclasses import dataclass, replace

from biovita.training.recipe import GateSettings

__all__ = ["Gate", "guard"]


@dataclass(frozen=True)
class Gate:
    """Shuts AIC and ITC off while ATC is worse than it was when the phase began.

    Attributes
    ----------
    base
        ATC as the phase began: the mean over some batches in evaluation mode.
    average
        Exponential average of ATC, starting at ``base``.
    calm
        While shut: for how many steps in a row the average has been under the lower threshold.
    """

    base: float
    average: float
    open: bool = True
    calm: int = 0

    @classmethod
    def at(cls, base: float) -> Gate:
        """Return the gate as a phase begins."""
        return cls(base, base)

    def after(self, atc: float, settings: GateSettings) -> Gate:
        """Return the gate after a step with this ATC loss: what the next step goes by."""
        average = settings.alpha * atc + (1 - settings.alpha) * self.average
        if self.open:
            return replace(self, average=average, open=average <= self.base * (1 + settings.upper), calm=0)
        calm = self.calm + 1 if average < self.base * (1 + settings.lower) else 0
        return replace(self, average=average, open=calm >= settings.patience, calm=calm)


def guard(atc: float, gate: Gate, settings: GateSettings) -> tuple[float, float]:
    """Return the guard ``factor * relu(ATC - upper threshold)``, and its slope in ATC."""
    excess = atc - gate.base * (1 + settings.upper)
    return (settings.guard * excess, settings.guard) if excess > 0 else (0.0, 0.0)
