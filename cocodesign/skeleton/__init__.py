"""Actions from skeletons: a Fine-to-Coarse network for any layout of joints.

::

    layouts        joints, bones, parts and regions, as data
    sequences      clips and data sets of clips
    readers        the original files of the data sets
    reading        ``read_skeletons``, which knows them all
    conversion     from one layout to another
    protocols      which clips train and which test
    preparation    bridged, resampled, normalised by the body
    augmentation   random changes that leave the action what it is
    network        ``FineToCoarse``
    fitting        one recipe of training for every data set
    recognizer     a trained network with its layout and classes; files, ONNX
    stream         classes of a stream of joints
    damage         clips as a worse sensor would give them
    variants       what the paper's idea is tested against
    evaluation     training and judging by a protocol
    outcomes       what came out, with its uncertainty
    comparison     ``compare_variants``: the network beside its ablations
"""

from cocodesign.skeleton.comparison import compare_variants
from cocodesign.skeleton.layouts import JointLayout, load_layout
from cocodesign.skeleton.network import FineToCoarse
from cocodesign.skeleton.reading import read_skeletons
from cocodesign.skeleton.recognizer import Recognizer
from cocodesign.skeleton.sequences import SkeletonDataset, SkeletonSequence

__all__ = [
    "FineToCoarse",
    "JointLayout",
    "Recognizer",
    "SkeletonDataset",
    "SkeletonSequence",
    "compare_variants",
    "load_layout",
    "read_skeletons",
]
