"""All layers in one run, and all of them but one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocodesign.codesign_study.camera import write_clips, write_hd_stream
from cocodesign.codesign_study.concepts import (
    Part,
    Pictures,
    Scene,
    make_pictures,
    watch_scenes,
)
from cocodesign.codesign_study.file import (
    NetworkFile,
    write_compressed,
    write_dense,
)
from cocodesign.codesign_study.outcome import ABLATIONS, Layers, Outcome
from cocodesign.codesign_study.terminal import search_clips, watch_stream
from cocodesign.codesign_study.training import Training, train_to_target
from cocodesign.models import open_detector
from cocodesign.training import evaluate

_MIB = 2**20


@dataclass(frozen=True)
class Setting:
    """How large a run is.

    Attributes:
        seed: Of everything.
        num_pictures: To learn from; a fifth as many are for validation and for test.
        mini_batch_size: Pictures of a training step.
        target: Validation accuracy that ends a training.
        max_steps: Ends it as well.
        learning_rates: Tried by each optimizer.
        memory_share: Of a training step under the plan, over torch's own.
        densities: Shares of weights to keep, falling.
        prices: Of a bit.
        num_compression_steps: Training steps after each cut.
        max_drop: Validation accuracy that compression may cost, a fraction.
        scene_interval_s: Seconds between the frames that pictures are cut from.
        stream_s: Seconds of the HD stream.
        num_clips: Of each thing that is searched for.
    """

    seed: int
    num_pictures: int
    mini_batch_size: int
    target: float
    max_steps: int
    learning_rates: Sequence[float]
    memory_share: float
    densities: Sequence[float]
    prices: Sequence[float]
    num_compression_steps: int
    max_drop: float
    scene_interval_s: float
    stream_s: float
    num_clips: int


class Pipeline:
    """What all runs share: pictures, stream, clips.

    Args:
        setting: How large.
        folder: Where files go.
        folder_of: Gives the folder of a data set, such as ``fetch_dataset``.
        report: Is told what happens.
    """

    def __init__(
        self,
        setting: Setting,
        folder: Path,
        folder_of: Callable[[str], Path],
        *,
        report: Callable[[str], None] = print,
    ) -> None:
        self.setting = setting
        self._folder = folder
        self._folder_of = folder_of
        self._report = report
        folder.mkdir(parents=True, exist_ok=True)
        video = folder_of("vtest") / "vtest.avi"
        stamps = folder_of("stamps")
        self._reference = open_detector(folder_of("coco_detectors"))
        self.scenes: list[Scene] = watch_scenes(
            video, self._reference, interval_s=setting.scene_interval_s
        )
        few = setting.num_pictures // 5
        counts: dict[Part, int] = {
            "train": setting.num_pictures,
            "validation": few,
            "test": few,
        }
        self.pictures: dict[Part, Pictures] = {
            part: make_pictures(self.scenes, stamps, part, count, seed=setting.seed)
            for part, count in counts.items()
        }
        self.stream = folder / "stream_1080p.mp4"
        middle = self.scenes[-1].time_s / 2 + 1
        write_hd_stream(
            video, self.stream, start_s=middle, end_s=middle + setting.stream_s
        )
        self.clips = write_clips(
            self.scenes, stamps, folder / "clips", setting.num_clips, seed=setting.seed
        )
        report(f"{setting.num_pictures} pictures, {len(self.clips)} clips, a stream")

    def run(self, layers: Layers, training: Training | None = None) -> Outcome:
        """Train, write the file, and use it.

        Args:
            layers: Which are on.
            training: One that is done already with the same K-FAC and plan.

        Returns:
            What came of it.
        """
        training = training or self.train(layers)
        self._report(
            f"{layers.label}: {training.num_steps} steps, {training.seconds:.1f} s, "
            f"validation {training.accuracy:.1%}, peak "
            f"{training.peak_bytes / _MIB:.0f} MiB"
        )
        folder = self._folder / layers.label.replace(" ", "_")
        folder.mkdir(exist_ok=True)
        file = self._write(layers, training, folder)
        network = file.load()
        test = self.pictures["test"]
        accuracy = evaluate(network, test.pixels, test.labels)
        watching = watch_stream(network, self.stream, self._reference)
        precisions = search_clips(network, self.clips, self._folder_of)
        self._report(
            f"{layers.label}: {file.num_bytes:,} bytes, test {accuracy:.1%}, "
            f"{watching.frames_per_s:.0f} frames/s at 1080p"
        )
        return Outcome(layers, training, file, accuracy, watching, precisions)

    def ablate(self) -> list[Outcome]:
        """Run with all layers and with one off at a time; training is shared."""
        done: dict[tuple[bool, bool], Training] = {}
        outcomes = []
        for layers in ABLATIONS:
            kind = (layers.kfac, layers.plan)
            if kind not in done:
                done[kind] = self.train(layers)
            outcomes.append(self.run(layers, done[kind]))
        return outcomes

    def train(self, layers: Layers) -> Training:
        """Train to the target.

        Args:
            layers: Which are on.

        Returns:
            The training.
        """
        setting = self.setting
        return train_to_target(
            self.pictures["train"],
            self.pictures["validation"],
            target=setting.target,
            max_steps=setting.max_steps,
            mini_batch_size=setting.mini_batch_size,
            learning_rates=setting.learning_rates,
            seed=setting.seed,
            with_kfac=layers.kfac,
            memory_share=setting.memory_share if layers.plan else None,
        )

    def _write(self, layers: Layers, training: Training, folder: Path) -> NetworkFile:
        if not layers.compression:
            return write_dense(training.network, folder)
        return write_compressed(
            training.network,
            self.pictures["train"],
            self.pictures["validation"],
            folder,
            densities=self.setting.densities,
            prices=self.setting.prices,
            num_steps=self.setting.num_compression_steps,
            max_drop=self.setting.max_drop,
            seed=self.setting.seed,
        )
