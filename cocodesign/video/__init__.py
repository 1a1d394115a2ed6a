"""HD video on the terminal: detect, track and notice what is abnormal.

::

    frames           timed pictures, converted where somebody looks
    streams          files, cameras and network streams
    motion           where something moves
    tiles            which parts of a frame are worth a run of the network
    detection        objects, under a budget of runs
    motion_model     boxes that move
    tracking         whose box it is
    tracking_scores  MOTA and IDF1
    observation      all that is known of a moment
    attributes       what of an object can be strange
    density          how far from everything normal
    camera_faults    frozen, blurred, covered, turned
    thresholds       a conformal bound on false alarms
    normal_video     the attributes of everything normal
    anomalies        ``AnomalyModel``: what is normal, and why something is not
    alarms           one for each thing that is strange
    drawing          frames and thumbnails as JPEG
    watching         ``watch``: from streams to alarms
    web              the same as a local page
    injection        real video with anomalies of real material pasted in
    anomaly_scores   AUC by frame, region and track
    protocol         PETS-inject from end to end
"""

from cocodesign.video.anomalies import AnomalyModel
from cocodesign.video.detection import ObjectDetector
from cocodesign.video.observation import Observer
from cocodesign.video.protocol import run_inject_protocol
from cocodesign.video.streams import open_video
from cocodesign.video.tracking import Tracker
from cocodesign.video.watching import watch

__all__ = [
    "AnomalyModel",
    "ObjectDetector",
    "Observer",
    "Tracker",
    "open_video",
    "run_inject_protocol",
    "watch",
]
