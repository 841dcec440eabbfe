"""A bundle is taken as it was written, or refused by a sentence that names what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from firmware_app.errors import BundleError
from firmware_app.inference.bundle import FORMAT, MANIFEST_NAME, digest_of, id_of, load_bundle


def write_small_bundle(folder: Path, **changes: JsonValue) -> Path:
    """A bundle whose graph is a few bytes: enough for everything but running it."""
    folder.mkdir(parents=True)
    (folder / "graph.onnx").write_bytes(bytes(range(200)))
    (folder / "model_card.md").write_text("# Card\n", encoding="utf-8")
    point: JsonValue = {"cutoff": 0.5, "low": 0.4, "high": 0.6}
    weights: JsonValue = {"ln_cutoff_kpa": 2.0, "scale": 0.3, "intercept": -4.0, "w_gm": 4.0, "w_lsm": 4.0}
    fields: dict[str, JsonValue] = {
        "format": FORMAT,
        "created": "2026-01-01T00:00:00+00:00",
        "notice": "For research use only.",
        "graph": {
            "file": "graph.onnx",
            "sha256": digest_of(folder / "graph.onnx"),
            "precision": "int8",
        },
        "bar_range_kpa": 40.0,
        "operating_points": {"ge_s2": point, "ge_s3": point, "s4": point},
        "gm_lsm": {"ge_s2": weights, "ge_s3": weights, "s4": weights},
        "lsm_cutoffs": {"source": "test", "ge_s2": 7.6, "ge_s3": 9.2, "s4": 10.4},
        "files": {"model_card.md": digest_of(folder / "model_card.md")},
        "training": {"seed": 1},
    }
    fields |= changes
    fields.setdefault("bundle_id", id_of("test", fields))
    (folder / MANIFEST_NAME).write_text(json.dumps(fields), encoding="utf-8")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small sound bundle."""
    return write_small_bundle(tmp_path / "bundle")


def test_sound_bundle_loads(bundle: Path) -> None:
    """What was written is what is loaded, and its id ends in the digest of the manifest."""
    loaded = load_bundle(bundle)
    assert loaded.graph_path.read_bytes() == bytes(range(200))
    assert loaded.manifest.operating_points["s4"].cutoff == 0.5
    assert loaded.manifest.bundle_id.startswith("test-")


def test_bundle_loads_through_a_link_to_its_folder(bundle: Path, tmp_path: Path) -> None:
    """A link to the whole folder (an atomic switch between versions) is fine."""
    link = tmp_path / "current"
    link.symlink_to(bundle, target_is_directory=True)
    assert load_bundle(link).manifest == load_bundle(bundle).manifest


@pytest.mark.parametrize("name", ["graph.onnx", "model_card.md"])
def test_flipped_byte_is_refused_by_name(bundle: Path, name: str) -> None:
    """One changed byte anywhere in a file is found, and the file is named."""
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bit_of_the_manifest_never_changes_its_meaning(bundle: Path, data: st.DataObject) -> None:
    """A flipped bit of bundle.json is refused, or leaves the content as it was (white space)."""
    path = bundle / MANIFEST_NAME
    sound = path.read_bytes()
    meaning = load_bundle(bundle).manifest
    content = bytearray(sound)
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    try:
        read = load_bundle(bundle).manifest
    except BundleError as error:
        read, complaint = None, str(error)
    finally:
        path.write_bytes(sound)
    assert read == meaning if read is not None else str(bundle) in complaint


@pytest.mark.parametrize("name", ["graph.onnx", "model_card.md", MANIFEST_NAME])
def test_missing_file_is_named(bundle: Path, name: str) -> None:
    """A bundle that lost a file is refused, and the file is named."""
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(bundle)


def test_truncated_graph_is_refused(bundle: Path) -> None:
    """Half a graph (a broken download) is refused before any runtime sees it."""
    (bundle / "graph.onnx").write_bytes(bytes(range(100)))
    with pytest.raises(BundleError, match=r"graph\.onnx was altered or truncated"):
        load_bundle(bundle)


def test_missing_folder_and_a_file_instead_are_refused(bundle: Path, tmp_path: Path) -> None:
    """The folder must be there and be a folder."""
    for path in (tmp_path / "nothing", bundle / MANIFEST_NAME):
        with pytest.raises(BundleError, match="no such folder"):
            load_bundle(path)


def test_future_format_asks_for_newer_software(tmp_path: Path) -> None:
    """A later format is refused as such, even with keys that nobody knows yet."""
    folder = write_small_bundle(tmp_path / "future", format=FORMAT + 1, unheard_of=True)
    with pytest.raises(BundleError, match=f"format {FORMAT + 1}.*update the software"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"surprise": 1}, "surprise"),
        ({"bar_range_kpa": -40}, "bar_range_kpa"),
        ({"operating_points": {}}, "lacks ge_s2, ge_s3, s4"),
        ({"files": {"graph.onnx": "0" * 64}}, "checked apart"),
        ({"bundle_id": "no/slash"}, "bundle_id"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, changes: dict[str, JsonValue], named: str) -> None:
    """An unknown key, an impossible number or a missing part is named."""
    with pytest.raises(BundleError, match=named):
        load_bundle(write_small_bundle(tmp_path / "wrong", **changes))


def test_operating_point_out_of_order_is_refused(tmp_path: Path) -> None:
    """The indeterminate zone must hold its cut-off."""
    point: JsonValue = {"cutoff": 0.5, "low": 0.6, "high": 0.7}
    points: JsonValue = {"ge_s2": point, "ge_s3": point, "s4": point}
    with pytest.raises(BundleError, match="not in order"):
        load_bundle(write_small_bundle(tmp_path / "wrong", operating_points=points))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1, 2]", "one JSON object"),
        ('{"format": 1, "bar_range_kpa": NaN}', "bundle"),
        ("[" * 100_000, "bundle"),
    ],
)
def test_manifest_that_is_no_object_is_refused(bundle: Path, text: str, named: str) -> None:
    """Broken or foreign JSON is refused with one sentence."""
    (bundle / MANIFEST_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=named):
        load_bundle(bundle)


def test_manifest_that_is_no_text_is_refused(bundle: Path) -> None:
    """Binary rubbish instead of JSON is refused."""
    (bundle / MANIFEST_NAME).write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(BundleError, match="not UTF-8"):
        load_bundle(bundle)


@pytest.mark.parametrize("outside", ["../outside.bin", "{absolute}", "a/../../outside.bin"])
def test_path_that_leaves_the_folder_is_refused(tmp_path: Path, outside: str) -> None:
    """Neither dots nor an absolute path lead out of the bundle, even to a file with the right digest."""
    target = tmp_path / "outside.bin"
    target.write_bytes(b"secret")
    name = outside.format(absolute=target)
    graph: JsonValue = {"file": name, "sha256": digest_of(target), "precision": "int8"}
    with pytest.raises(BundleError, match="leads outside"):
        load_bundle(write_small_bundle(tmp_path / "bundle", graph=graph))


def test_link_that_leaves_the_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    """A link inside the bundle to a file outside is refused, even with the right content."""
    outside = tmp_path / "graph.onnx"
    shutil.move(bundle / "graph.onnx", outside)
    (bundle / "graph.onnx").symlink_to(outside)
    with pytest.raises(BundleError, match="leads outside"):
        load_bundle(bundle)


def test_name_with_a_null_character_is_refused(tmp_path: Path) -> None:
    """A name that no file system knows gives a sentence, not a crash."""
    graph: JsonValue = {"file": "graph\x00.onnx", "sha256": "0" * 64, "precision": "int8"}
    with pytest.raises(BundleError, match="not a usable file name"):
        load_bundle(write_small_bundle(tmp_path / "bundle", graph=graph))
