"""What a finished training leaves in its work folder: enough to export it again without training."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_model

from calibration import json_input
from calibration.whole_file import durable_file
from firmware_app.inference.bundle import THRESHOLDS
from model_export.cohort import Cohort, Split, load_cohort
from model_export.errors import WrongInputError
from model_export.network import FibrosisNetwork
from model_export.task import Heads, divide
from model_export.weights import random_trunk

RECORD = "trained.json"
PARAMETERS = "network.safetensors"


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A trained and calibrated network, and the cohort it learnt from.

    Attributes:
        work: the folder that holds everything else.
        cohort: name of the cohort's folder in it.
        network: name of the folder of the trained parameters in it.
        name: a bundle's id begins with it.
        weights: the initial weights, in words.
        licence: of the initial weights.
        seed: of the division into training and held-out patients.
        validation_share: share of the held-out patients.
        image_sd: standard deviation of a held-out patient's image log-odds (GM+EM).
        training: command, seeds, versions and digests.
        features: name of the folder of the training maps in it.
        heads: `shared`, or `three` binary networks.
    """

    work: Path
    cohort: str
    network: str
    name: str
    weights: str
    licence: str
    seed: int
    validation_share: float
    image_sd: float
    training: dict[str, str | int | float] = field(default_factory=dict)
    features: str = ""
    heads: Heads = "shared"

    @property
    def parameters(self) -> Path:
        """The trained parameters of a shared head."""
        return self.folder / PARAMETERS

    @property
    def folder(self) -> Path:
        """Where the trained parameters are."""
        return self.work / self.network

    def patients(self, split: Split) -> Cohort:
        """The patients of a split."""
        return load_cohort(self.work / self.cohort, split)

    def held_out(self) -> npt.NDArray[np.int64]:
        """Training patients that no parameter was fitted on; they calibrate."""
        return divide(self.patients("train").stage, self.validation_share, self.seed).validation

    def fitted(self) -> npt.NDArray[np.int64]:
        """Training patients that parameters were fitted on."""
        return divide(self.patients("train").stage, self.validation_share, self.seed).train

    def load_network(self) -> FibrosisNetwork:
        """The network as it was trained and calibrated.

        Raises:
            WrongInputError: there are three binary networks.
        """
        if self.heads == "three":
            raise WrongInputError(
                f"{self.work} holds three binary networks, the paper's mode, which no bundle can hold; "
                "train with --heads shared"
            )
        return _load(self.folder)

    def load_binary_networks(self) -> tuple[FibrosisNetwork, ...]:
        """The three binary networks, one for each threshold, of a training with `heads` three."""
        return tuple(_load(self.folder / threshold) for threshold in THRESHOLDS)


def _load(folder: Path) -> FibrosisNetwork:
    network = FibrosisNetwork(random_trunk(0))
    load_model(network, str(folder / PARAMETERS))
    return network.eval()


def save_run(run: TrainedRun) -> None:
    """Record a finished training as the last one of its work folder."""
    fields = {key: value for key, value in asdict(run).items() if key != "work"}
    with durable_file(run.work / RECORD) as file:
        file.write((json.dumps(fields, indent=2) + "\n").encode())


def load_run(work: Path) -> TrainedRun:
    """The last finished training of a work folder.

    Raises:
        WrongInputError: there is none.
    """
    try:
        fields = json_input.parse((work / RECORD).read_text(encoding="utf-8"))
        run = TrainedRun(work=work, **fields)
    except FileNotFoundError as error:
        raise WrongInputError(
            f"{work} holds no finished training ({RECORD} is missing); run fibrostage-export train first"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise WrongInputError(f"{work / RECORD} cannot be read; run fibrostage-export train anew") from error
    parts = [""] if run.heads == "shared" else [f"{threshold}/" for threshold in THRESHOLDS]
    wanted = (f"{run.cohort}/train.npz", *(f"{run.network}/{part}{PARAMETERS}" for part in parts))
    missing = [name for name in wanted if not (work / name).is_file()]
    if missing:
        raise WrongInputError(f"{work} lacks {missing[0]}; run fibrostage-export train anew")
    return run
