"""Compose StampEvents as files: videos, event kits, and a MED task with its answers.

    python data_scripts/stamp_events.py FOLDER [--seed 0]

Photographs and background videos are fetched once. Any detector of events can be tried
on the folder, not only ours.
"""

import argparse
from pathlib import Path

import numpy as np

from cocodesign.data import fetch_dataset
from cocodesign.events.composed import (
    Composer,
    plan_clips,
    stamp_kits,
    stamp_photographs,
    write_kits,
)
from cocodesign.events.med import write_med, write_table
from cocodesign.events.trials import Trials

NUM_POSITIVES = 8
NUM_BACKGROUNDS = 120
VIDEOS = (
    ("vtest", "vtest.avi"),
    ("street_clips", "bikes.mp4"),
    ("street_clips", "bigbuckbunny.mp4"),
)


def main() -> None:
    """Plan, compose and describe the clips."""
    parser = argparse.ArgumentParser(
        description="Compose StampEvents as files: videos, event kits, a MED task."
    )
    parser.add_argument("folder", type=Path, help="gets clips/, kits/ and CSV files")
    parser.add_argument("--seed", type=int, default=0, help="of all choices")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    clips = plan_clips(
        stamp_photographs(),
        "first",
        num_positives=NUM_POSITIVES,
        num_backgrounds=NUM_BACKGROUNDS,
        seed=arguments.seed,
        prefix="clip",
    )
    composer = Composer(
        fetch_dataset("stamps"), [fetch_dataset(name) / file for name, file in VIDEOS]
    )
    for clip in clips:
        composer.write(clip, folder / "clips" / f"{clip.id}.mp4")
    write_kits(folder / "kits")
    events = [kit.id for kit in stamp_kits()]
    labels = np.array([[clip.event == event for event in events] for clip in clips])
    trials = Trials.grid([clip.id for clip in clips], events, labels.astype(np.int8))
    write_med(trials, folder / "trial_index.csv", folder / "reference.csv")
    write_table(
        folder / "clips.csv",
        ("ClipID", "MEDIA_FILE"),
        [(clip.id, f"clips/{clip.id}.mp4") for clip in clips],
    )
    print(f"{folder}: {len(clips)} clips, {len(events)} events, {len(trials)} trials")


if __name__ == "__main__":
    main()
