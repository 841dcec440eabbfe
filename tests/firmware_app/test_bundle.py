"""A bundle is taken as it was written, or refused by a sentence that names what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from pydantic import JsonValue

from firmware_app.errors import BundleError, KeyFileError
from firmware_app.inference.bundle import FORMAT, MANIFEST_LIMIT, MANIFEST_NAME, digest_of, load_bundle
from firmware_app.inference.signature import SIGNATURE_NAME, read_public_key, trusted_keys
from model_export.signing import new_key, public_pem, read_key, sign_bundle, trusted, write_key
from tests.firmware_app.bundle_examples import KEY, TRUST, small_fields, write_manifest, write_small_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small sound bundle."""
    return write_small_bundle(tmp_path / "bundle")


def test_sound_bundle_loads(bundle: Path) -> None:
    """What was written is what is loaded, its id ends in a digest, and its signer is known."""
    loaded = load_bundle(bundle, TRUST)
    assert loaded.graph_path.read_bytes() == bytes(range(200))
    assert loaded.manifest.operating_points["s4"].rule_in == 0.7
    assert loaded.manifest.bundle_id.startswith("test-")
    assert (loaded.signed_by, loaded.fingerprint) == ("tests", TRUST[0].fingerprint)


def test_bundle_loads_through_a_link_to_its_folder(bundle: Path, tmp_path: Path) -> None:
    """A link to the whole folder (an atomic switch between versions) is fine."""
    link = tmp_path / "current"
    link.symlink_to(bundle, target_is_directory=True)
    assert load_bundle(link, TRUST).manifest == load_bundle(bundle, TRUST).manifest


@pytest.mark.parametrize("name", ["graph.onnx", "model_card.md", MANIFEST_NAME])
def test_missing_file_is_named(bundle: Path, name: str) -> None:
    """A bundle that lost a file is refused, and the file is named."""
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(bundle, TRUST)


def test_unsigned_bundle_is_refused(bundle: Path) -> None:
    """Without its signature a bundle is nobody's."""
    (bundle / SIGNATURE_NAME).unlink()
    with pytest.raises(BundleError, match="is not signed"):
        load_bundle(bundle, TRUST)


def test_strangers_signature_is_refused_by_its_fingerprint(bundle: Path) -> None:
    """A sound signature of a key that nobody trusts does not count, and the key is named."""
    stranger = new_key()
    sign_bundle(bundle, stranger)
    assert load_bundle(bundle, [trusted(stranger)]).signed_by == "signer"
    with pytest.raises(BundleError, match=f"key {trusted(stranger).fingerprint[:16]}.* not trusted"):
        load_bundle(bundle, TRUST)
    with pytest.raises(BundleError, match="not trusted"):
        load_bundle(bundle)


def test_future_format_asks_for_newer_software(tmp_path: Path) -> None:
    """A later format is refused as such, even with keys that nobody knows yet; an older one likewise."""
    folder = write_small_bundle(tmp_path / "future", format=FORMAT + 1, unheard_of=True)
    with pytest.raises(BundleError, match=f"format {FORMAT + 1}.*update the software"):
        load_bundle(folder, TRUST)
    with pytest.raises(BundleError, match=r"format 1.*export the bundle anew"):
        load_bundle(write_small_bundle(tmp_path / "old", format=1), TRUST)
    with pytest.raises(BundleError, match=rf"format '{FORMAT + 1}'"):
        load_bundle(write_small_bundle(tmp_path / "text", format=str(FORMAT + 1)), TRUST)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"surprise": 1}, "surprise"),
        ({"bar_range_kpa": -40}, "bar_range_kpa"),
        ({"operating_points": {}}, "lacks ge_s2, ge_s3, s4"),
        ({"files": {"graph.onnx": "0" * 64}}, "checked apart"),
        ({"files": {SIGNATURE_NAME: "0" * 64}}, "checked apart"),
        ({"files": {}}, "self_test names 'golden.npz'"),
        ({"bundle_id": "no/slash"}, "bundle_id"),
        ({"bundle_id": "test-000000000000"}, "does not fit its bundle_id"),
        ({"format": True}, "format"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, changes: dict[str, JsonValue], named: str) -> None:
    """An unknown key, an impossible number or a missing part is named, whoever signed it."""
    with pytest.raises(BundleError, match=named):
        load_bundle(write_small_bundle(tmp_path / "wrong", **changes), TRUST)


def test_operating_point_out_of_order_is_refused(tmp_path: Path) -> None:
    """The indeterminate zone must hold its cut-off."""
    point: JsonValue = {"cutoff": 0.5, "low": 0.6, "high": 0.7, "rule_out": 0.1, "rule_in": 0.9}
    points: JsonValue = {"ge_s2": point, "ge_s3": point, "s4": point}
    with pytest.raises(BundleError, match="not in order"):
        load_bundle(write_small_bundle(tmp_path / "wrong", operating_points=points), TRUST)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1, 2]", "one JSON object"),
        (b'{"format": 2, "bar_range_kpa": NaN}', "NaN is not a number"),
        (b"[" * 100_000, "one JSON object"),
        (b'{"format": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"format": 2, "format": 2}', "'format' stands twice"),
        (b"\xff\xfe\x00rubbish", "not UTF-8"),
        (b" " * (MANIFEST_LIMIT + 1), "at most"),
    ],
)
def test_manifest_that_is_no_object_is_refused(bundle: Path, content: bytes, named: str) -> None:
    """Broken, foreign, ambiguous or giant JSON is refused with one sentence, even when it is signed."""
    with pytest.raises(BundleError, match=named):
        load_bundle(write_manifest(bundle, content), TRUST)


def test_key_that_stands_twice_deep_inside_is_refused(bundle: Path) -> None:
    """Two readers could take different ones of two equal keys: no such manifest is read."""
    text = (bundle / MANIFEST_NAME).read_text(encoding="utf-8")
    twice = text.replace('"precision": "int8"', '"precision": "int8", "precision": "int8"')
    with pytest.raises(BundleError, match="'precision' stands twice"):
        load_bundle(write_manifest(bundle, twice.encode()), TRUST)


@pytest.mark.parametrize(
    "outside",
    ["../outside.bin", "{absolute}", "a/../../outside.bin", "graph\x00.onnx", "", ".", "-rf", "a\nb"],
)
def test_path_that_leaves_the_folder_is_refused(tmp_path: Path, outside: str) -> None:
    """Neither dots, an absolute path nor odd characters lead out, even to a file with the right digest."""
    target = tmp_path / "outside.bin"
    target.write_bytes(b"secret")
    name = outside.format(absolute=target)
    graph: JsonValue = {"file": name, "sha256": digest_of(target), "precision": "int8"}
    with pytest.raises(BundleError, match="leads outside"):
        load_bundle(write_small_bundle(tmp_path / "bundle", graph=graph), TRUST)


def test_link_in_place_of_a_file_is_refused(bundle: Path, tmp_path: Path) -> None:
    """A link to a file outside is refused, even with the right content; so is one that leads nowhere."""
    outside = tmp_path / "graph.onnx"
    shutil.move(bundle / "graph.onnx", outside)
    for target in (outside, tmp_path / "nowhere"):
        (bundle / "graph.onnx").unlink(missing_ok=True)
        (bundle / "graph.onnx").symlink_to(target)
        with pytest.raises(BundleError, match=r"'graph\.onnx' is a link"):
            load_bundle(bundle, TRUST)


def test_pipe_in_place_of_a_file_is_refused_and_not_waited_for(bundle: Path) -> None:
    """A named pipe would stop whoever opens it; it is refused by name."""
    (bundle / "graph.onnx").unlink()
    os.mkfifo(bundle / "graph.onnx")
    with pytest.raises(BundleError, match="not a plain file"):
        load_bundle(bundle, TRUST)


@pytest.mark.parametrize("name", ["extra.bin", ".hidden", "bundle.json.bak", "folder/"])
def test_whatever_is_not_listed_is_refused(bundle: Path, name: str) -> None:
    """A bundle carries nothing that its manifest does not know."""
    if name.endswith("/"):
        (bundle / name).mkdir()
    else:
        (bundle / name).touch()
    with pytest.raises(BundleError, match=name.rstrip("/")):
        load_bundle(bundle, TRUST)


def test_folder_with_countless_files_is_not_read_to_its_end(bundle: Path) -> None:
    """A folder with more files than any bundle has is refused."""
    for number in range(40):
        (bundle / f"{number}.bin").touch()
    with pytest.raises(BundleError, match="more than 32 files"):
        load_bundle(bundle, TRUST)


def test_file_of_giant_size_is_refused_unread(bundle: Path) -> None:
    """A sparse file of 5 GB in place of the manifest is refused by its size."""
    os.truncate(bundle / MANIFEST_NAME, 5_000_000_000)
    with pytest.raises(BundleError, match="5000000000 bytes, at most"):
        load_bundle(bundle, TRUST)


def test_missing_folder_and_a_file_instead_are_refused(bundle: Path, tmp_path: Path) -> None:
    """The folder must be there and be a folder."""
    for path in (tmp_path / "nothing", bundle / MANIFEST_NAME):
        with pytest.raises(BundleError, match="no such folder"):
            load_bundle(path, TRUST)


def test_only_a_sound_bundle_is_signed(bundle: Path) -> None:
    """A signature never vouches for files that do not fit the manifest."""
    (bundle / SIGNATURE_NAME).unlink()
    (bundle / "model_card.md").write_text("# Other\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"model_card\.md was altered"):
        sign_bundle(bundle, KEY)
    assert not (bundle / SIGNATURE_NAME).exists()


def test_fields_of_the_example_are_those_of_the_format(bundle: Path) -> None:
    """The small bundle sets every field, so that the tests here speak of the whole format."""
    fields = small_fields(bundle)
    assert {*fields, "bundle_id"} == set(load_bundle(bundle, TRUST).manifest.model_dump())


def test_key_pair_is_written_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    """The private key has mode 0600, both halves read back as one pair, and a second try is refused."""
    key = new_key()
    public = write_key(key, tmp_path / "site.pem")
    assert (tmp_path / "site.pem").stat().st_mode & 0o777 == 0o600
    assert read_public_key(public).fingerprint == trusted(read_key(tmp_path / "site.pem")).fingerprint
    before = (tmp_path / "site.pem").read_bytes()
    with pytest.raises(KeyFileError, match="not overwritten"):
        write_key(new_key(), tmp_path / "site.pem")
    (tmp_path / "site.pem").unlink()
    with pytest.raises(KeyFileError, match=r"site\.pub exists"):
        write_key(new_key(), tmp_path / "site.pem")
    (tmp_path / "site.pem").write_bytes(before)
    with pytest.raises(KeyFileError, match="public key's name"):
        write_key(key, tmp_path / "other.pub")
    with pytest.raises(KeyFileError, match="is a folder"):
        write_key(key, Path())
    with pytest.raises(KeyFileError, match="cannot be written"):
        write_key(key, tmp_path / "missing" / "site.pem")


def test_site_trusts_the_keys_in_its_folder(bundle: Path, tmp_path: Path) -> None:
    """A `.pub` file in the folder of keys is trusted under its name; a broken one is named."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "liver-centre.pub").write_bytes(public_pem(KEY))
    assert load_bundle(bundle, trusted_keys(folder)).signed_by == "liver-centre"
    (folder / "broken.pub").write_text("no key", encoding="utf-8")
    with pytest.raises(KeyFileError, match=r"broken\.pub is not a public key"):
        trusted_keys(folder)


def test_wrong_kinds_of_key_are_refused(tmp_path: Path) -> None:
    """A private key is no public one, and the other way round; nor is what is missing or empty."""
    public = write_key(new_key(), tmp_path / "site.pem")
    for wrong in (tmp_path / "site.pem", tmp_path / "missing"):
        with pytest.raises(KeyFileError, match=wrong.name):
            read_public_key(wrong)
    for wrong in (public, tmp_path / "missing"):
        with pytest.raises(KeyFileError, match=wrong.name):
            read_key(wrong)


def test_manifest_may_be_spaced_as_one_likes(bundle: Path) -> None:
    """The signature is over bytes, the id over content: white space changes the one, not the other."""
    before = load_bundle(bundle, TRUST).manifest
    fields = json.loads((bundle / MANIFEST_NAME).read_text(encoding="utf-8"))
    spaced = write_manifest(bundle, json.dumps(fields, indent=4).encode())
    assert load_bundle(spaced, TRUST).manifest == before
