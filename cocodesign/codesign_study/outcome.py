"""Which layers a run has, and what comes of it."""

from dataclasses import dataclass

from cocodesign.codesign_study.file import NetworkFile
from cocodesign.codesign_study.terminal import Watching
from cocodesign.codesign_study.training import Training


@dataclass(frozen=True)
class Layers:
    """Which layers a run has.

    Attributes:
        kfac: K-FAC instead of SGD.
        plan: Convolutions divided within the memory of torch's own step.
        compression: A compressed file instead of 32-bit floats.
    """

    kfac: bool = True
    plan: bool = True
    compression: bool = True

    @property
    def label(self) -> str:
        """What is left out, in words."""
        missing = [name for name, on in vars(self).items() if not on]
        return f"without {', '.join(missing)}" if missing else "all on"


ABLATIONS = (
    Layers(),
    Layers(kfac=False),
    Layers(plan=False),
    Layers(compression=False),
)
"""All on, and one off at a time."""


@dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes:
        layers: That it had.
        training: To the target.
        file: That the terminal used.
        test_accuracy: Of the network from the file on unseen pictures, a fraction.
        watching: The HD stream.
        precisions: Average precision of the search by words, by thing.
    """

    layers: Layers
    training: Training
    file: NetworkFile
    test_accuracy: float
    watching: Watching
    precisions: dict[str, float]

    @property
    def mean_precision(self) -> float:
        """The mean of the average precisions."""
        return sum(self.precisions.values()) / len(self.precisions)
