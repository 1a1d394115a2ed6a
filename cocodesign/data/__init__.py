"""Files to tensors: what a data set consists of, where it comes from, how it is read.

Nothing is fetched at import; ``fetch_dataset`` and ``load_dataset`` are explicit calls.
A new data set is one TOML file in ``manifests`` and, if no reader of ``loading`` fits,
a reader.
"""

from cocodesign.data.cache import data_home
from cocodesign.data.fetching import data_digests, fetch_dataset, is_available
from cocodesign.data.images import ImageClassification
from cocodesign.data.loading import load_dataset
from cocodesign.data.manifest import DatasetManifest, dataset_names

__all__ = [
    "DatasetManifest",
    "ImageClassification",
    "data_digests",
    "data_home",
    "dataset_names",
    "fetch_dataset",
    "is_available",
    "load_dataset",
]
