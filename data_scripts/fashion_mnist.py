"""Fetch Fashion-MNIST into the data cache and say what it holds.

    python data_scripts/fashion_mnist.py [--verify]

Calling it again downloads nothing.
"""

import argparse

from cocodesign.data import fetch_dataset, load_dataset
from cocodesign.data.progress import FetchEvent

NAME = "fashion_mnist"


def main() -> None:
    """Fetch, read and describe the data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--verify", action="store_true", help="read all files that are here already"
    )
    arguments = parser.parse_args()
    folder = fetch_dataset(NAME, verify=arguments.verify, progress=print_step)
    data = load_dataset(NAME, download=False)
    print(f"{folder}: {len(data.train):,} training and {len(data.test):,} test images")


def print_step(event: FetchEvent) -> None:
    """Print what is done, not how many bytes have arrived."""
    if event.done_bytes is None:
        print(event.message)


if __name__ == "__main__":
    main()
