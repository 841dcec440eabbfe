"""The networks: ordered log-odds, the initial weights, folded layers that compute the same."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from safetensors.torch import save_file  # noqa: E402 - after the check that torch is there

from model_export.errors import WrongInputError  # noqa: E402
from model_export.network import Head, OrdinalOutput, Top, fold_batch_norm  # noqa: E402
from model_export.weights import InputRange, load_trunk, random_trunk  # noqa: E402


@pytest.fixture(scope="module")
def trunk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights in half precision, without the classifier."""
    state = random_trunk(5).state_dict()
    path = tmp_path_factory.mktemp("weights") / "trunk.safetensors"
    save_file({name: value.half() for name, value in state.items() if not name.startswith("fc.")}, path)
    return path


@pytest.mark.parametrize("seed", range(5))
def test_log_odds_never_rise_whatever_the_parameters(seed: int) -> None:
    """For any parameters and any features, the log-odds fall from >=S2 to S4."""
    torch.manual_seed(seed)
    output = OrdinalOutput(16)
    with torch.no_grad():
        for parameter in output.parameters():
            parameter.copy_(torch.randn_like(parameter) * 20)
    logits = output(torch.randn(64, 16) * 50)
    assert (logits.diff(dim=1) <= 0).all()


def test_head_standardises_and_ignores_what_never_varies() -> None:
    """Scale and offset of the features do not matter; a constant feature has no say."""
    torch.manual_seed(1)
    vectors = torch.randn(200, 8)
    vectors[:, 3] = 7.0
    head = Head([], 8).eval()
    head.standardise.fit(vectors)
    plain = head(vectors)
    moved = vectors * 0.01 + 5.0
    head.standardise.fit(moved)
    torch.testing.assert_close(head(moved), plain, atol=1e-3, rtol=1e-3)
    moved[:, 3] += 1.0
    torch.testing.assert_close(head(moved), plain, atol=1e-3, rtol=1e-3)


def test_folded_top_computes_the_same() -> None:
    """Folding the batch norms into the convolutions changes nothing but rounding."""
    trunk = random_trunk(2)
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    top = Top(trunk).eval()
    maps = torch.rand(1, 768, 17, 17)
    with torch.inference_mode():
        before = top(maps)
        after = fold_batch_norm(top)(maps)
    assert not [module for module in top.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)


def test_weights_for_0_to_1_give_the_same_with_signed_input(trunk_file: Path) -> None:
    """A checkpoint trained on 0..1 gives on -1..1 what it gave on 0..1: only its first layer is rewritten."""
    raw = load_trunk(trunk_file, InputRange.SIGNED)
    rewritten = load_trunk(trunk_file, InputRange.ZERO_ONE)
    pictures = torch.rand(2, 3, 75, 75)
    with torch.inference_mode():
        expected = raw.Conv2d_1a_3x3(pictures)
        found = rewritten.Conv2d_1a_3x3(pictures * 2 - 1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_weights_that_are_missing_say_what_to_give(tmp_path: Path) -> None:
    """Without a weights file the sentence names what would do."""
    with pytest.raises(WrongInputError, match="IMAGENET1K_V1"):
        load_trunk(tmp_path / "nothing.pth", InputRange.SIGNED)


@pytest.mark.parametrize("name", ["rubbish.safetensors", "rubbish.pth"])
def test_weights_that_are_no_checkpoint_are_refused(tmp_path: Path, name: str) -> None:
    """Rubbish is refused by name, whatever it is called."""
    (tmp_path / name).write_bytes(b"rubbish" * 100)
    with pytest.raises(WrongInputError, match="neither a safetensors file nor a torch checkpoint"):
        load_trunk(tmp_path / name, InputRange.SIGNED)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """A checkpoint without Inception's layers is refused, and the first missing one is named."""
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WrongInputError, match=r"lacks \d+ layers of .*, first Conv2d_1a_3x3"):
        load_trunk(tmp_path / "other.safetensors", InputRange.SIGNED)


def test_recalibration_changes_log_odds_as_asked_and_keeps_their_order() -> None:
    """The new log-odds are factor times the old ones plus the offsets; equal biases stay in order."""
    output = OrdinalOutput(1)
    features = torch.linspace(-2.0, 2.0, 9)[:, None]
    before = output(features).detach()
    output.recalibrate(0.4, (0.5, 0.3, -0.2))
    expected = 0.4 * before + torch.tensor([0.5, 0.3, -0.2])
    torch.testing.assert_close(output(features).detach(), expected, atol=1e-5, rtol=0.0)
    output.recalibrate(0.0001, (0.0, 0.0, 0.0))
    assert (output.biases().diff() > 0).all()
