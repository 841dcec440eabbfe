"""Virtual screens shared by the tests of the phantom."""

from __future__ import annotations

import pytest

from calibration.phantom import FrameTruth, Patient, Quality, draw_acquisition, draw_patient
from calibration.phantom.randomness import stream
from calibration.phantom.truth import Picture

Drawn = tuple[Patient, Picture, FrameTruth]


@pytest.fixture(scope="session", params=[(11, 0), (12, 2), (13, 4)], ids=["S0", "S2", "S4"])
def drawn(request: pytest.FixtureRequest) -> Drawn:
    """A frozen, measured screen of a patient of stage 0, 2 and 4."""
    seed, stage = request.param
    patient = draw_patient(stream(seed, "patient"), stage, Quality.GOOD)
    picture, truth = draw_acquisition(patient, 0, seed)
    picture.flags.writeable = False
    return patient, picture, truth
