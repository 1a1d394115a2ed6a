"""How far from everything normal a vector is."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

_MOST_VECTORS = 3000
_NUM_NEIGHBOURS = 3
_NORMAL_FRACTION = 0.98


class Density:
    """Distances to the nearest normal vectors, in units of what is normal.

    A k-nearest-neighbour density, as in Reiss and Hoshen 2022, "Attribute-based
    Representations for Accurate and Interpretable Video Anomaly Detection"
    (arXiv:2212.00789), Section 3.4. They divide by the largest distance within the
    normal vectors; here a vector is compared with those of *other* objects only, since
    it always lies near those of its own object, and the unit is the distance that two
    in a hundred normal vectors exceed.

    Args:
        vectors: Normal ones.
        groups: Whose vector each is, of at least two objects.
        resolution: Smallest difference that means something, axis by axis; also the
            unit of distances.

    Raises:
        ValueError: If there are fewer than two objects.
    """

    def __init__(
        self,
        vectors: Float[np.ndarray, "normal axis"],
        groups: Int[np.ndarray, " normal"],
        resolution: Float[np.ndarray, " axis"],
    ) -> None:
        if len(np.unique(groups)) < 2:
            raise ValueError(
                "a density needs vectors of at least two objects, got "
                f"{len(vectors)} vectors of {len(np.unique(groups))}: take longer "
                "normal video"
            )
        step = -(-len(vectors) // _MOST_VECTORS)
        self._resolution = resolution
        scaled, groups = vectors[::step] / resolution, groups[::step]
        self._tree = KDTree(scaled)
        apart = cdist(scaled, scaled)
        apart[groups[:, None] == groups[None]] = np.inf
        k = min(_NUM_NEIGHBOURS, max(1, int(np.isfinite(apart).sum(axis=1).min())))
        nearest = np.partition(apart, k - 1, axis=1)[:, :k].mean(axis=1)
        self._num_neighbours = k
        self.unit = max(1.0, float(np.quantile(nearest, _NORMAL_FRACTION)))

    def score(self, vector: Float[np.ndarray, " axis"]) -> float:
        """Return the distance of a vector.

        Args:
            vector: Any.

        Returns:
            At least 0; normal vectors rarely exceed 1.
        """
        distances, _ = self._tree.query(
            vector / self._resolution, k=self._num_neighbours
        )
        return float(np.mean(distances)) / self.unit
