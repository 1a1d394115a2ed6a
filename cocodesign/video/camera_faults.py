"""Is it the camera? Frozen, blurred, covered or turned pictures.

All tests look at the moment's grey view and compare with what was normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

Fault = Literal["freeze", "blur", "cover", "shift"]
View = UInt8[np.ndarray, "row column"]
_SAME = 0.02  # mean difference of grey levels below which two views are the same
_LEAST_FREEZE_S = 1.0
_SLACK = 0.7  # of the least normal sharpness or contrast
_LEAST_SHIFT = 3.0  # cells of the view


@dataclass(frozen=True)
class FaultScore:
    """How much a view looks like a fault.

    Attributes:
        fault: Which one.
        score: 1 is the limit, larger is worse.
        sentence: Why, for people.
    """

    fault: Fault
    score: float
    sentence: str


class CameraFaults:
    """Knows how sharp, rich in contrast and steady a camera's picture normally is.

    Args:
        scene: Edges of the usual view.
        least_sharpness: Of normal views, above 0.
        least_contrast: Of normal views in grey levels, above 0.
        shift_limit: Displacement in cells of the view that is no longer normal.
        frozen_limit_s: Seconds without a change that are no longer normal.
    """

    def __init__(
        self,
        *,
        scene: Float[np.ndarray, "row column"],
        least_sharpness: float,
        least_contrast: float,
        shift_limit: float,
        frozen_limit_s: float,
    ) -> None:
        self.scene = scene
        self.least_sharpness = least_sharpness
        self.least_contrast = least_contrast
        self.shift_limit = shift_limit
        self.frozen_limit_s = frozen_limit_s
        self._last: View | None = None
        self._changed_s = 0.0

    @classmethod
    def learn(cls, views: Sequence[View], times_s: Sequence[float]) -> "CameraFaults":
        """Measure normal video.

        Args:
            views: In order, at least two.
            times_s: Their times.

        Returns:
            What is normal.

        Raises:
            ValueError: If there are fewer than two views, or they show nothing.
        """
        least_contrast = min((float(view.std()) for view in views), default=0.0)
        if len(views) < 2 or least_contrast < 1:
            raise ValueError(
                "camera faults need at least two normal views with something on them, "
                f"got {len(views)} with a contrast of {least_contrast:.1f} grey levels"
            )
        chosen = np.stack(list(views[:: -(-len(views) // 25)]))
        scene = _edges(np.median(chosen, axis=0))
        largest = max(_distance(shift(scene, _edges(view))) for view in chosen)
        return cls(
            scene=scene,
            least_sharpness=min(sharpness(view) for view in views),
            least_contrast=least_contrast,
            shift_limit=max(_LEAST_SHIFT, 2 * largest),
            frozen_limit_s=max(_LEAST_FREEZE_S, 2 * _longest_run(views, times_s)),
        )

    def restart(self) -> None:
        """Forget the stream before, but not what is normal."""
        self._last = None

    def score(self, view: View, time_s: float) -> tuple[FaultScore, ...]:
        """Judge the next view of the stream.

        Args:
            view: Of the size of the normal ones.
            time_s: Its time.

        Returns:
            One score per fault.
        """
        if self._last is None or not _is_same(self._last, view):
            self._changed_s = time_s
        self._last = view
        frozen_s = max(0.0, time_s - self._changed_s)
        sharp = sharpness(view) / self.least_sharpness
        contrast = float(view.std()) / self.least_contrast
        # A covered or blurred picture correlates with nothing.
        is_clear = sharp > _SLACK and contrast > _SLACK
        moved = _distance(shift(self.scene, _edges(view))) if is_clear else 0.0
        columns = view.shape[1]
        return (
            FaultScore(
                "freeze",
                frozen_s / self.frozen_limit_s,
                f"the picture has not changed for {frozen_s:.1f} s",
            ),
            FaultScore(
                "blur",
                (_SLACK / max(sharp, 1e-3)) ** 2 if contrast > _SLACK else 0.0,
                f"the picture is blurred: {sharp:.0%} of its normal sharpness",
            ),
            FaultScore(
                "cover",
                (_SLACK / max(contrast, 1e-3)) ** 2,
                f"the camera seems covered: {contrast:.0%} of its normal contrast",
            ),
            FaultScore(
                "shift",
                moved / self.shift_limit,
                f"the camera has turned by {moved / columns:.0%} of the picture",
            ),
        )


def sharpness(view: View) -> float:
    """Return the spread of second differences over the spread of a view's greys."""
    grey = view.astype(float)
    return float(ndimage.laplace(grey).std() / max(grey.std(), 1.0))


def shift(
    scene: Float[np.ndarray, "row column"], view: Float[np.ndarray, "row column"]
) -> tuple[float, float]:
    """Return by how many rows and columns a view is displaced.

    The peak of the phase correlation (Kuglin and Hines 1975), of pictures of edges.

    Args:
        scene: What the view is compared with.
        view: Of the same size.

    Returns:
        Rows and columns, at most half of the size.
    """
    cross = np.fft.rfft2(view) * np.fft.rfft2(scene).conj()
    magnitude = np.abs(cross)
    cross = np.divide(cross, magnitude, out=np.zeros_like(cross), where=magnitude > 0)
    peak = np.fft.irfft2(cross, s=scene.shape)
    row, column = np.unravel_index(int(peak.argmax()), peak.shape)
    rows, columns = scene.shape
    return (
        float(row - rows if row > rows // 2 else row),
        float(column - columns if column > columns // 2 else column),
    )


def _edges(view: np.ndarray) -> np.ndarray:
    grey = view.astype(float)
    edges = np.hypot(np.gradient(grey, axis=0), np.gradient(grey, axis=1))
    window = np.outer(np.hanning(view.shape[0]), np.hanning(view.shape[1]))
    return (edges - edges.mean()) * window


def _distance(displacement: tuple[float, float]) -> float:
    return float(np.hypot(*displacement))


def _is_same(one: View, other: View) -> bool:
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return float(difference.mean()) < _SAME


def _longest_run(views: Sequence[View], times_s: Sequence[float]) -> float:
    longest_s, since_s = 0.0, times_s[0]
    for before, view, time_s in zip(views, views[1:], times_s[1:], strict=False):
        if not _is_same(before, view):
            since_s = time_s
        longest_s = max(longest_s, time_s - since_s)
    return longest_s
