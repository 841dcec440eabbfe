"""Whatever happens to a bundle's bytes on the way, `load_bundle` refuses it by name and never crashes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_app
from firmware_app.errors import BundleError
from firmware_app.inference.bundle import load_bundle
from tests.firmware_app.bundle_examples import TRUST, write_small_bundle

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"
FILES = ("bundle.json", "bundle.sig", "golden.npz", "graph.onnx", "model_card.md")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small sound bundle."""
    return write_small_bundle(tmp_path / "bundle")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demonstration bundle, to be damaged."""
    folder = tmp_path_factory.mktemp("copy") / "demo"
    shutil.copytree(DEMO, folder)
    return folder


@contextmanager
def flipped(path: Path, position: int, mask: int) -> Iterator[None]:
    """The file with some bits of one byte turned round, for a while."""
    with path.open("r+b") as stream:
        stream.seek(position)
        sound = stream.read(1)
        stream.seek(position)
        stream.write(bytes([sound[0] ^ mask]))
    yield
    with path.open("r+b") as stream:
        stream.seek(position)
        stream.write(sound)


def refused(folder: Path) -> str:
    """The sentence with which a bundle is refused."""
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, TRUST)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_of_a_small_bundle_is_refused(bundle: Path, name: str) -> None:
    """Each byte of each file, with its lowest, its case and all its bits turned round."""
    size = (bundle / name).stat().st_size
    for position in range(size):
        for mask in (0x01, 0x20, 0xFF):
            with flipped(bundle / name, position, mask):
                refused(bundle)
    assert load_bundle(bundle, TRUST).manifest.bundle_id.startswith("test-")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_the_demonstration_bundle_is_refused(demo: Path, data: st.DataObject) -> None:
    """Anywhere in the 40 MB graph, the golden crops, the card, the metrics, the manifest or the signature."""
    path = demo / data.draw(st.sampled_from(sorted(file.name for file in demo.iterdir())))
    position = data.draw(st.integers(0, path.stat().st_size - 1))
    with flipped(path, position, data.draw(st.integers(1, 255))), pytest.raises(BundleError):
        load_bundle(demo)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_and_every_appended_byte_is_refused(bundle: Path, name: str) -> None:
    """A file cut anywhere, or with something behind its end, is not the file that was signed."""
    sound = (bundle / name).read_bytes()
    for content in (*(sound[:length] for length in range(0, len(sound), 7)), sound + b"\n", sound + b"\x00"):
        (bundle / name).write_bytes(content)
        refused(bundle)


@pytest.mark.parametrize("name", FILES)
def test_every_missing_file_is_refused(bundle: Path, name: str) -> None:
    """No file of a bundle can be done without."""
    (bundle / name).unlink()
    assert name in refused(bundle) or "is not signed" in refused(bundle)


def test_any_two_files_that_change_places_are_refused(bundle: Path, tmp_path: Path) -> None:
    """Right contents under wrong names are wrong."""
    for first in FILES:
        for second in FILES:
            if first < second:
                swapped = tmp_path / "swapped"
                shutil.copytree(bundle, swapped)
                shutil.copyfile(bundle / first, swapped / second)
                shutil.copyfile(bundle / second, swapped / first)
                refused(swapped)
                shutil.rmtree(swapped)


def test_parts_of_two_bundles_of_one_signer_do_not_mix(bundle: Path, tmp_path: Path) -> None:
    """A file of another bundle that the same key signed is refused, the manifest with its signature too."""
    other = write_small_bundle(tmp_path / "other", training={"seed": 2}, bar_range_kpa=150.0)
    shutil.copyfile(other / "bundle.sig", bundle / "bundle.sig")
    assert "signature" in refused(bundle)
    (other / "graph.onnx").write_bytes(b"another graph")
    shutil.copyfile(other / "bundle.json", bundle / "bundle.json")
    shutil.copyfile(other / "graph.onnx", bundle / "graph.onnx")
    assert "graph.onnx was altered" in refused(bundle)
