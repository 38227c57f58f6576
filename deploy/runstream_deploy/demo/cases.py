"""The four cases of the demo: hyperparameters, and how each ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of the demo."""

    name: str
    #: One line for the user.
    story: str
    #: The final state of the run.
    expected: str
    ranks: int = 1
    seed: int = 1
    epochs: int = 12
    batch: int = 32
    hidden: tuple[int, ...] = (512, 256)
    rate: float = 0.02
    #: The learning rate is multiplied by this after every step.
    rate_growth: float = 1.0
    momentum: float = 0.9
    #: Share of the steps after which the process sends itself SIGKILL.
    killed_at: float | None = None
    #: Whether pictures, a table, a chart, a file and the weights are logged at the end.
    keeps_outcome: bool = False

    def config(self) -> dict[str, Any]:
        """Return the hyperparameters as a run's config."""
        shown = asdict(self)
        for name in ("name", "story", "expected", "killed_at", "keeps_outcome"):
            del shown[name]
        return {**shown, "hidden": list(self.hidden), "data": {"set": "digits", "validation_share": 0.2}}


CASES = {
    case.name: case
    for case in (
        Case(name="good", story="ends well", expected="finished", keeps_outcome=True),
        Case(
            name="diverging",
            story="raises, because its loss explodes",
            expected="failed",
            seed=2,
            rate=0.01,
            rate_growth=1.02,
        ),
        Case(name="killed", story="is killed by SIGKILL halfway", expected="crashed", seed=3, killed_at=0.5),
        Case(name="two-ranks", story="two processes train it together", expected="finished", ranks=2, seed=4),
    )
}
