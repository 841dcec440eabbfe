"""Class-activation maps, the choice of Figure 5's patients, and what the paper's tables say of themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from model_export.errors import ExportError
from model_export.network import FibrosisNetwork, normalise
from model_export.statistics.auc import delong_auc
from model_export.study.report.activation import activation_maps
from model_export.study.report.gallery import choose
from model_export.study.report.paper_check import check_paper, hanley_mcneil_width
from model_export.weights import random_trunk


@pytest.fixture(scope="module")
def network() -> FibrosisNetwork:
    """A network with random weights and with feature statistics that are not trivial."""
    torch.manual_seed(2)
    made = FibrosisNetwork(random_trunk(2)).eval()
    for head in (made.gm_head, made.em_head):
        head.standardise.fit(torch.randn(50, 2048) * 0.05 + 0.3)
        head.standardise.deviation[::7] = torch.inf  # features that never vary
    return made


def test_the_mean_of_a_map_is_the_score(network: FibrosisNetwork) -> None:
    """An identity, for both networks and two pictures, to 1e-4; so log-odds are the mean less the biases."""
    rng = np.random.default_rng(1)
    for _ in range(2):
        gray, elastogram = rng.integers(0, 256, (2, 299, 299, 3), dtype=np.uint8)
        maps = activation_maps(network, gray, elastogram)
        with torch.inference_mode():
            batch = [normalise(torch.from_numpy(picture[np.newaxis])) for picture in (gray, elastogram)]
            gm, em, _ = network(*batch)
        for values, head, log_odds in ((maps.gm, network.gm_head, gm), (maps.em, network.em_head, em)):
            assert values.shape == (8, 8)
            assert values.std() > 1e-3
            found = values.mean() - head.output.biases().detach().numpy()
            np.testing.assert_allclose(found, log_odds[0].numpy(), atol=1e-4)


def test_a_head_with_hidden_layers_has_no_map(network: FibrosisNetwork) -> None:
    """Its score is no mean over places; a map would be an invention."""
    picture = np.zeros((299, 299, 3), dtype=np.uint8)
    plain = network.em_head.layers
    network.em_head.layers = nn.Sequential(nn.Linear(2048, 2048))
    try:
        with pytest.raises(ExportError, match="hidden layers"):
            activation_maps(network, picture, picture)
    finally:
        network.em_head.layers = plain


def test_patients_are_drawn_by_the_seed_and_from_their_group() -> None:
    """One per stage and group at most, in the order of stages; another seed draws others."""
    stage = np.repeat(np.arange(5), 20)
    called = np.where(np.arange(100) % 2, 0, np.array([0, 0, 2, 3, 4])[stage])
    right, wrong = choose(stage, called, 5, seed=1)
    assert [int(stage[patient]) for patient, _ in right] == [0, 1, 2, 3, 4]
    # An S0 or S1 patient who is called at no threshold is rightly staged, so nobody here is wrong.
    assert [int(stage[patient]) for patient, _ in wrong] == [2, 3, 4]
    assert all(patient % 2 == 0 for patient, _ in right if stage[patient] > 1)
    assert all(patient % 2 == 1 for patient, _ in wrong)
    assert all(0 <= acquisition < 5 for _, acquisition in (*right, *wrong))
    assert choose(stage, called, 5, seed=1) == (right, wrong)
    assert choose(stage, called, 5, seed=2) != (right, wrong)


def test_hanley_and_mcneils_width_is_what_patients_scatter_by() -> None:
    """Their formula is that of exponential scores: 3000 cohorts of 41 and 61 patients scatter as it says."""
    rng = np.random.default_rng(1)
    positive = np.repeat([True, False], [41, 61])
    mean = np.where(positive, 9.0, 1.0)  # a positive exceeds a negative with probability 9 / (9 + 1)
    found = [delong_auc(rng.exponential(mean), positive).auc for _ in range(3000)]
    width = 2 * 1.959964 * float(np.std(np.array(found, dtype=np.float64)))
    assert hanley_mcneil_width(0.9, 41, 61) == pytest.approx(width, rel=0.05)


def test_the_papers_rows_say_what_the_page_says_of_them() -> None:
    """Nine serum and stiffness rows turned, no network row whole, and too many positives at S4."""
    rows = {(row.threshold, row.method): row for row in check_paper()}
    assert len(rows) == 27
    turned = [key for key in rows if rows[key].turned]
    assert len(turned) == 9
    assert {method for _, method in turned} == {"APRI", "FIB-4", "LSM"}
    assert not any(row.as_printed for row in rows.values())
    # Counted by hand: 32 of 41 at S4 are called by LSM, and 51 of 61 below it are not.
    assert rows["S4", "LSM"].turned == "32/41, 51/61"
    networks = [row for (_, method), row in rows.items() if method not in {"APRI", "FIB-4", "LSM"}]
    at_s4 = [row for row in networks if row.threshold == "S4" and row.implied_share is not None]
    assert all(row.implied_share is not None and row.implied_share > row.share for row in at_s4)
    # GM+EM at S4: PPV 94.9, sensitivity 90.1, specificity 94.3; odds 18.6 * 5.7 / 90.1.
    assert rows["S4", "GM+EM"].implied_share == pytest.approx(54.1, abs=0.05)
