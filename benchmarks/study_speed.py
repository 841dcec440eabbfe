"""Training with cached features beside a plain fine-tuning loop.

Both train the same upper layers (Mixed_7a to Mixed_7c of Inception-V3 and a head) on the same pictures in the
precision that is fastest here, with the same views, batches, optimiser and loss, and look at the same
validation patients before and after the epoch. The plain loop is what one would write around torchvision:
lower layers frozen, every picture through the whole network in every epoch. Ours sends every view through the
frozen layers once and keeps what comes out on the disk. The pictures are noise: time does not depend on them.

    python -m benchmarks.study_speed [--patients 8] [--views 2]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.models import Inception3

from benchmarks.record import Run, keep, parser
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Picture
from model_export.cohort import ACQUISITIONS, Cohort, load_cohort
from model_export.epochs import learn, ordinal_loss
from model_export.features import Features, Views, augment, cache_features
from model_export.machine import this_machine
from model_export.network import STEM_LAYERS, TOP_FEATURES, FibrosisNetwork, Head, normalise
from model_export.task import Division, Task, TrainingOptions
from model_export.train import top_lesson
from model_export.weights import random_trunk

PLAIN = "plain fine-tuning loop"
REPEATS = 3


def draw(folder: Path, patients: int, seed: int) -> Cohort:
    """A cohort of noise, as `fibrostage-export train` reads one."""
    rng = np.random.default_rng(seed)
    stage, lsm_kpa = np.arange(patients) % 5, np.full((patients, ACQUISITIONS), 8.0)
    np.savez(folder / "train.npz", stage=stage, lsm_kpa=lsm_kpa)
    for modality in ("gray", "elastogram"):
        shape = (patients, ACQUISITIONS, INPUT_SIDE, INPUT_SIDE, 3)
        np.save(folder / f"train_{modality}.npy", rng.integers(0, 256, shape, np.uint8))
    return load_cohort(folder, "train")


def cached_s(network: FibrosisNetwork, cohort: Path, folder: Path, views: int) -> tuple[Features, float]:
    """The maps of every view of both modalities, and the seconds that they took."""
    folder.mkdir()
    features, began_s = Features(folder, "train"), time.perf_counter()
    cache_features(network, cohort, features, Views(views, seed=1), processes=1)
    return features, time.perf_counter() - began_s


def our_epoch_s(network: FibrosisNetwork, features: Features, task: Task, checkpoint: Path) -> float:
    """Seconds of one epoch of the gray-scale top over cached maps."""
    began_s = time.perf_counter()
    lesson = top_lesson(network.gm_top, network.gm_head, features.maps()[0], task, "GM top")
    learn(lesson, task, checkpoint)
    return time.perf_counter() - began_s


class PlainLoop:
    """The whole network, its lower layers frozen, and what trains the rest."""

    def __init__(self, trunk: Inception3, cohort: Cohort, task: Task) -> None:
        self._cohort, self._task, machine = cohort, task, this_machine()
        for name in STEM_LAYERS:
            getattr(trunk, name).requires_grad_(requires_grad=False)
        trunk.fc = Head([], TOP_FEATURES)
        self._network = trunk.to(machine.device).to(memory_format=torch.channels_last).eval()
        trained = [weight for weight in trunk.parameters() if weight.requires_grad]
        options = task.options
        self._optimiser = torch.optim.AdamW(trained, options.top_rate, weight_decay=options.weight_decay)
        self._rng = np.random.default_rng(options.seed)

    def epoch_s(self) -> float:
        """Seconds of one epoch over the gray-scale pictures."""
        began_s = time.perf_counter()
        self._validate()
        patients, batch, gray = self._task.division.train, self._task.options.batch, self._cohort.gray
        order = self._rng.permutation(patients.size * ACQUISITIONS)
        for chosen in np.split(order, range(batch, order.size, batch)):
            patient, acquisition = patients[chosen // ACQUISITIONS], chosen % ACQUISITIONS
            batch_of = np.stack([augment(picture, self._rng) for picture in gray[patient, acquisition]])
            loss = ordinal_loss(self._forward(batch_of), torch.from_numpy(self._task.stage[patient]))
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimiser.step()
        self._validate()
        return time.perf_counter() - began_s

    def _validate(self) -> None:
        with torch.inference_mode():
            for patient in self._task.division.validation:
                self._forward(self._cohort.gray[patient])

    def _forward(self, pictures: Picture) -> Tensor:
        batch = normalise(torch.from_numpy(np.array(pictures)).to(this_machine().device))
        with this_machine().autocast():
            logits: Tensor = self._network(batch.contiguous(memory_format=torch.channels_last))
        return logits.float()


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--patients", type=int, default=8, help="of five pictures of each modality")
    options.add_argument("--views", type=int, default=2, help="of each picture, kept by ours")
    chosen = options.parse_args()
    patients, views, repeats = (2, 1, 1) if chosen.smoke else (chosen.patients, chosen.views, REPEATS)
    run = Run()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cohort = draw(folder, patients, chosen.seed)
        everyone = np.arange(patients)
        division = Division(train=everyone[1:], validation=everyone[:1])
        task = Task(cohort.stage, division, TrainingOptions(seed=chosen.seed, epochs=1, batch=16))
        network = FibrosisNetwork(random_trunk(chosen.seed))
        pictures = 2 * patients * ACQUISITIONS * views
        caching_s = []
        for turn in range(repeats):
            features, seconds = cached_s(network, folder, folder / f"features-{turn}", views)
            caching_s.append(seconds)
        trained = (patients - 1) * ACQUISITIONS
        loop = PlainLoop(random_trunk(chosen.seed), cohort, task)
        ours_s, plain_s = [], []
        for turn in range(repeats):  # turn by turn: whatever else the machine does disturbs both
            ours_s.append(our_epoch_s(network, features, task, folder / f"{turn}.checkpoint"))
            plain_s.append(loop.epoch_s())
    run.measure("an epoch of one modality", [trained / s for s in ours_s], "pictures/s", better="more")
    run.compare("an epoch of one modality", PLAIN, [trained / s for s in plain_s])
    run.measure("caching the features, once", [pictures / s for s in caching_s], "pictures/s", better="more")
    tell_break_even(run, min(caching_s) / pictures, min(ours_s) / trained, min(plain_s) / trained, views)
    return keep("study_speed", run, chosen)


def tell_break_even(run: Run, cache_s: float, epoch_s: float, plain_s: float, views: int) -> None:
    """Note after how many epochs the cache has paid; seconds are of one picture."""
    run.note(f"{views} views of each picture are cached; precision {this_machine().precision}.")
    if plain_s <= epoch_s:
        run.note("the cache never pays here.")
        return
    epochs = views * cache_s / (plain_s - epoch_s)
    run.note(f"the cache has paid after {epochs:.1f} epochs of either modality.")


if __name__ == "__main__":
    sys.exit(main())
