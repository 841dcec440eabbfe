"""The ladder: the installed bundle, the one before, stiffness only; and never a crash on the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from firmware_app.assembly import LSM_RANGE_KPA, appliance_of, examiner_of, screen_reader
from firmware_app.bundle_store import current_of, install, previous_of
from firmware_app.config import Config
from firmware_app.errors import BundleError, KeyFileError
from firmware_app.inference import ChosenEngine, Engine, open_engine
from firmware_app.inference.bundle import MANIFEST_NAME, Bundle, digest_of, id_of
from firmware_app.inference.engine import EngineChoice
from firmware_app.inference.signature import SIGNATURE_NAME
from firmware_app.journey import Crops, ImageScores
from firmware_app.model import DEMONSTRATION_BUNDLE, load_model, open_model
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.publication import status_message
from model_export.signing import public_pem, signature_of
from tests.firmware_app.bundle_examples import KEY, TRUST
from tests.firmware_app.exam_examples import BIRTH, uid


def works(_bundle: Bundle) -> None:
    """A self-test that is passed whatever happens: what is installed here fails at the start."""


def relabelled(folder: Path, seed: int, *, wrong_answers: bool = False) -> Path:
    """The demonstration bundle under another id, signed by the tests' key; perhaps with wrong answers."""
    shutil.copytree(DEMONSTRATION_BUNDLE, folder)
    fields = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    fields["training"]["seed"] = seed
    if wrong_answers:
        with np.load(folder / "golden.npz", allow_pickle=False) as golden:
            arrays = {**golden, "logits_engine": -golden["logits_engine"]}
        np.savez_compressed(folder / "golden.npz", **arrays)
        fields["files"]["golden.npz"] = digest_of(folder / "golden.npz")
    fields["bundle_id"] = id_of(f"site{seed}", fields)
    content = json.dumps(fields).encode()
    (folder / MANIFEST_NAME).write_bytes(content)
    (folder / SIGNATURE_NAME).write_bytes(signature_of(content, KEY))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An appliance that trusts the tests' key and has nothing installed."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "site.pub").write_bytes(public_pem(KEY))
    return Config(bundle_store=tmp_path / "bundles", bundle_keys=keys)


@pytest.fixture
def good(config: Config, tmp_path: Path) -> Path:
    """Installs a bundle that works; returns its folder in the store."""
    return install(config.bundle_store, relabelled(tmp_path / "good", 1), TRUST, works).folder


@pytest.fixture
def bad(config: Config, good: Path, tmp_path: Path) -> Path:
    """Installs, after the good one, a sound bundle whose self-test no processor passes."""
    source = relabelled(tmp_path / "bad", 2, wrong_answers=True)
    return install(config.bundle_store, source, TRUST, works).folder


def test_nothing_installed_runs_the_demonstration_bundle(config: Config) -> None:
    """A fresh appliance has a model, and nothing to report."""
    opened = open_model(config)
    assert opened.model is not None
    assert opened.event is None
    assert opened.model.bundle.folder == DEMONSTRATION_BUNDLE.resolve()
    assert opened.model.largest_difference is not None
    opened.model.engine.close()


def test_installed_bundle_runs_after_its_self_test(config: Config, good: Path) -> None:
    """What is installed is what runs."""
    opened = open_model(config)
    assert opened.model is not None
    assert opened.event is None
    assert opened.model.bundle.folder == good.resolve()
    opened.model.engine.close()


def test_failed_self_test_rolls_back_and_tells_the_ward(config: Config, good: Path, bad: Path) -> None:
    """The bundle before runs, the store is switched back, and the status names what failed and why."""
    opened = open_model(config)
    assert opened.model is not None
    assert opened.model.bundle.folder == good.resolve()
    assert (current_of(config.bundle_store), previous_of(config.bundle_store)) == (good, bad)
    appliance = appliance_of(config, opened, screen_reader("aixplorer"))
    status = status_message(appliance, CaptureState.LIVE, BIRTH, time_trusted=True)
    assert status.bundle_event is not None
    assert status.bundle_event.event == "rolled_back"
    assert status.bundle_event.bundle_id == bad.name
    assert "self-test failed" in status.bundle_event.detail
    opened.model.engine.close()


def test_two_damaged_bundles_leave_the_stiffness(config: Config, good: Path, bad: Path) -> None:
    """With no sound bundle the appliance decodes stiffness, and no other bundle takes their place."""
    for folder in (good, bad):
        (folder / "graph.onnx").write_bytes(b"damaged")
    opened = open_model(config)
    assert opened.model is None
    reader = screen_reader("aixplorer")
    appliance = appliance_of(config, opened, reader)
    status = status_message(appliance, CaptureState.LIVE, BIRTH, time_trusted=True)
    assert status.bundle_event is not None
    assert (status.bundle_event.event, status.bundle_id, status.runtime) == ("no_bundle", None, None)
    examiner = examiner_of(reader, opened.model, lambda: uid(1))
    assert (examiner.engine, examiner.bar_range_kpa) == (None, LSM_RANGE_KPA)


def test_lost_link_brings_the_bundle_before_back(config: Config, good: Path, bad: Path) -> None:
    """Where something was installed, the demonstration bundle never takes its place unasked."""
    (config.bundle_store / "current").unlink()
    opened = open_model(config)
    assert opened.model is not None
    assert opened.event is not None
    assert (opened.model.bundle.folder, opened.event.event) == (good.resolve(), "rolled_back")
    assert current_of(config.bundle_store) == good
    opened.model.engine.close()


class WrongEngine:
    """Stands in for a GPU whose answers are wrong."""

    name = "TensorRT 10.3 GPU INT8"

    def __init__(self, sound: Engine) -> None:
        self._sound = sound

    def score(self, crops: Crops) -> ImageScores:
        """What is true, upside down."""
        scores = self._sound.score(crops)
        wrong = [tuple(-value for value in logits) for logits in (scores.gm, scores.em, scores.gm_em)]
        return ImageScores(*wrong)  # type: ignore[arg-type]  # three values each, as they came

    def close(self) -> None:
        """Close the one behind it."""
        self._sound.close()


def test_gpu_that_answers_wrongly_is_given_up_before_the_bundle(
    config: Config, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO then runs the very same bundle, and the reason tells why."""

    def wrong(bundle: Bundle, *_: object, **__: object) -> EngineChoice:
        chosen = ChosenEngine(WrongEngine(open_engine(bundle)), "compiled", lambda: open_engine(bundle))
        return EngineChoice(chosen, "compiled")

    monkeypatch.setattr("firmware_app.model.choose_engine", wrong)
    opened = open_model(config)
    assert opened.model is not None
    assert opened.event is None
    assert opened.model.bundle.folder == good.resolve()
    assert opened.model.engine.degraded
    assert "TensorRT 10.3 GPU INT8 failed" in opened.model.engine.reason
    opened.model.engine.close()


def test_link_to_nowhere_leaves_the_stiffness(config: Config, good: Path) -> None:
    """A store whose current bundle vanished does not stop the appliance."""
    shutil.rmtree(good)
    opened = open_model(config)
    assert opened.model is None
    assert opened.event is not None
    assert "no such folder" in opened.event.detail


def test_unreadable_key_leaves_the_stiffness(config: Config, good: Path) -> None:
    """A broken key file trusts nobody; it stops the networks, not the appliance."""
    (config.bundle_keys / "broken.pub").write_text("?", encoding="utf-8")
    opened = open_model(config)
    assert opened.model is None
    assert opened.event is not None
    assert "broken.pub" in opened.event.detail
    assert opened.event.bundle_id == good.name


def test_named_bundle_that_is_wrong_is_refused(config: Config, tmp_path: Path) -> None:
    """Whoever names a bundle in the configuration is told when it does not work."""
    named = config.model_copy(update={"bundle": relabelled(tmp_path / "bad", 3, wrong_answers=True)})
    with pytest.raises(BundleError, match="self-test failed"):
        open_model(named)
    with pytest.raises(BundleError, match="no such folder"):
        open_model(config.model_copy(update={"bundle": tmp_path / "nothing"}))
    (config.bundle_keys / "broken.pub").write_text("?", encoding="utf-8")
    with pytest.raises(KeyFileError, match=r"broken\.pub"):
        open_model(named)


def test_replay_runs_a_strangers_bundle_only_if_it_is_trusted(tmp_path: Path) -> None:
    """`load_model` takes the keys that it is given."""
    folder = relabelled(tmp_path / "bundle", 4)
    with pytest.raises(BundleError, match="not trusted"):
        load_model(folder)
    model = load_model(folder, keys=TRUST)
    assert model.largest_difference is None
    model.engine.close()
