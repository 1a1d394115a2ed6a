"""Fetch the skeletons of pose-classification-kit and say what they hold.

    python data_scripts/pose_kit.py [--verify]

Calling it again downloads nothing.
"""

import argparse

from cocodesign.data import fetch_dataset
from cocodesign.data.progress import FetchEvent
from cocodesign.skeleton import read_skeletons

NAME = "pose_kit"


def main() -> None:
    """Fetch, read and describe the data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--verify", action="store_true", help="read all files that are here already"
    )
    arguments = parser.parse_args()
    folder = fetch_dataset(NAME, verify=arguments.verify, progress=print_step)
    data = read_skeletons(folder)
    print(f"{folder}: {len(data):,} clips of {len(data.class_names)} poses")


def print_step(event: FetchEvent) -> None:
    """Print what is done, not how many bytes have arrived."""
    if event.done_bytes is None:
        print(event.message)


if __name__ == "__main__":
    main()
