"""Events in video: found from a description, from a few examples, or from both.

Clips are decoded once, into an index of what concept banks recognise; every question
after that is arithmetic on it::

    kits, trials, ranking, scoring   what is asked, and how answers are judged
    med, lists                       files of TRECVID and of other collections
    frames, banks, index, pooling    from video files to what clips show
    wordnet, concept_space           what concepts mean
    zero_shot                        an event from its description
    few_shot                         an event from a few examples
    fusion                           both together
    calibration, explanation         probabilities, thresholds, and reasons
    reference                        the programme's own form, to compare with
    opening, collection              banks from their weights; searching as users do
    composed, protocol               a data set that anyone can build, and its trials
    outcomes, examination            what came out; whether it can be trusted
"""

from cocodesign.events.banks import ConceptBank
from cocodesign.events.few_shot import FewShotDetector
from cocodesign.events.fusion import FusedDetector
from cocodesign.events.kits import EventKit
from cocodesign.events.med import read_med, write_submission
from cocodesign.events.scoring import score_trials
from cocodesign.events.zero_shot import ZeroShotDetector

__all__ = [
    "ConceptBank",
    "EventKit",
    "FewShotDetector",
    "FusedDetector",
    "ZeroShotDetector",
    "read_med",
    "score_trials",
    "write_submission",
]
