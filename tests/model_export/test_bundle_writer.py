"""A written bundle is signed, loads, runs, and takes the place of an older one; nothing else is touched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="writing bundles needs the extra `train`, which is not installed")

from firmware_app.errors import BundleError
from firmware_app.inference import load_bundle, open_engine
from firmware_app.inference.bundle import Bundle
from firmware_app.inference.bundle_files import ArrayForm, read_arrays
from firmware_app.inference.golden import read_golden, self_test
from firmware_app.inference.signature import read_public_key
from model_export.bundle_writer import BundleContent, public_key_beside, write_bundle
from model_export.cli import main
from model_export.errors import WrongInputError
from model_export.signing import new_key, trusted
from tests.model_export.tiny_bundle import NOW, tiny_content, write_graph, write_tiny_bundle


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> BundleContent:
    """What goes into the tiny bundle; its graph stays where it is."""
    return tiny_content(write_graph(tmp_path_factory.mktemp("graph") / "graph.onnx"))


@pytest.fixture
def written(content: BundleContent, tmp_path: Path) -> Bundle:
    """The tiny bundle, signed with a key of its own."""
    return write_bundle(tmp_path / "bundle", content, NOW)


def test_written_bundle_loads_and_runs_and_replaces_an_older_one(
    content: BundleContent, tmp_path: Path
) -> None:
    """What is written opens in the engine, passes its self-test, and takes the place of the bundle before."""
    first = write_bundle(tmp_path / "bundle", content, NOW)
    second = write_bundle(tmp_path / "bundle", dataclasses.replace(content, training={"seed": 2}), NOW)
    assert first.manifest.bundle_id != second.manifest.bundle_id
    key = read_public_key(public_key_beside(tmp_path / "bundle"))
    assert load_bundle(tmp_path / "bundle", [key]).manifest == second.manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.pub"]
    engine = open_engine(second)
    assert self_test(second, engine) < 1e-6
    engine.close()


def test_bundle_without_a_key_is_signed_with_one_made_for_it(content: BundleContent, tmp_path: Path) -> None:
    """Two bundles have two keys; neither is trusted unless it is named, and no private key is left behind."""
    one, other = (write_bundle(tmp_path / name, content, NOW) for name in ("one", "other"))
    assert one.fingerprint != other.fingerprint
    with pytest.raises(BundleError, match="not trusted"):
        load_bundle(one.folder)
    with pytest.raises(BundleError, match="not trusted"):
        load_bundle(one.folder, [read_public_key(tmp_path / "other.pub")])
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert left == []


def test_bundle_with_a_key_is_signed_with_it(content: BundleContent, tmp_path: Path) -> None:
    """A given key signs, and no public half is left beside the bundle."""
    key = new_key()
    bundle = write_bundle(tmp_path / "bundle", content, NOW, key)
    assert bundle.fingerprint == trusted(key).fingerprint
    assert not public_key_beside(tmp_path / "bundle").exists()


def test_same_content_gives_the_same_id_and_the_same_files(content: BundleContent, tmp_path: Path) -> None:
    """The id names the content; written twice, every file but the signature is the same."""
    one, other = (write_bundle(tmp_path / name, content, NOW) for name in ("one", "other"))
    assert one.manifest == other.manifest
    for path in one.folder.iterdir():
        same = path.read_bytes() == (other.folder / path.name).read_bytes()
        assert same is (path.name != "bundle.sig")


@pytest.mark.parametrize("name", ["graph.onnx", "golden.npz", "metrics.json", "model_card.md"])
def test_every_file_of_a_written_bundle_is_guarded(written: Bundle, tmp_path: Path, name: str) -> None:
    """One flipped byte in any file of a written bundle is found and named."""
    path = written.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name):
        load_bundle(written.folder, [read_public_key(tmp_path / "bundle.pub")])


def test_folder_of_something_else_is_left_alone(content: BundleContent, tmp_path: Path) -> None:
    """A folder that is no bundle is not overwritten."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(WrongInputError, match="is not a bundle"):
        write_bundle(tmp_path, content, NOW)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_golden_crops_come_back_as_they_were(written: Bundle, content: BundleContent) -> None:
    """Crops and answers are kept to the last bit."""
    read = read_golden(written)
    assert (read.gray == content.golden.gray).all()
    assert (read.logits_engine == content.golden.logits_engine).all()


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"values": np.zeros(3)}, "values is float64"),
        ({"values": np.zeros((2, 2), np.float32)}, r"values is float32 \(2, 2\)"),
        ({"values": np.array([{}], dtype=object)}, "values is object"),
        ({"other": np.zeros(3, np.float32)}, "does not hold exactly values"),
        ({"values": np.zeros(3, np.float32), "more": np.zeros(1)}, "does not hold exactly values"),
        ({"values": np.zeros(1 << 19, np.float32)}, "would unpack to more than 1 MiB"),
    ],
)
def test_arrays_of_another_form_are_refused_unread(
    tmp_path: Path, arrays: dict[str, np.ndarray], named: str
) -> None:
    """Another type or shape, pickled objects, unknown names and a bomb that unpacks to too much are named."""
    np.savez_compressed(tmp_path / "file.npz", **arrays)  # type: ignore[arg-type]  # names, not options
    with pytest.raises(BundleError, match=named):
        read_arrays(tmp_path, "file.npz", {"values": ArrayForm("float32", (None,))}, 1 << 20)


def test_array_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    """A header of four thousand million numbers over an empty body is refused before memory is asked for."""
    np.savez_compressed(tmp_path / "file.npz", values=np.zeros(7, np.float32))
    np.save(tmp_path / "honest.npy", np.zeros(7, np.float32))
    lying = (tmp_path / "honest.npy").read_bytes().replace(b"(7,), }          ", b"(4000000000,), } ")
    assert b"4000000000" in lying
    import zipfile  # noqa: PLC0415 - only this test builds an archive by hand

    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("values.npy", lying)
    with pytest.raises(BundleError, match=r"values is float32 \(4000000000,\)"):
        read_arrays(tmp_path, "file.npz", {"values": ArrayForm("float32", (None,))}, 1 << 20)


def test_keygen_and_sign_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A site makes its key and puts its name under a bundle; every mistake is one line and exit code 2."""
    bundle = write_tiny_bundle(tmp_path / "bundle")
    key = tmp_path / "site.pem"
    assert main(["keygen", "--out", str(key), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(["sign", str(bundle.folder), "--key", str(key), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == made["fingerprint"]
    assert load_bundle(bundle.folder, [read_public_key(tmp_path / "site.pub")]).signed_by == "site"
    (bundle.folder / "model_card.md").write_text("better than it is", encoding="utf-8")
    for arguments, named in (
        (["keygen", "--out", str(key)], "not overwritten"),
        (["sign", str(bundle.folder), "--key", str(key)], "model_card.md was altered"),
        (["sign", str(bundle.folder), "--key", str(tmp_path / "site.pub")], "not a private PEM key"),
        (["sign", str(tmp_path / "nothing"), "--key", str(key)], "nothing"),
    ):
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert named in line
