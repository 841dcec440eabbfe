"""Screen profiles: what ships loads, and each mistake is named in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from calibration.errors import ProfileError
from calibration.profile import PROFILES, ScreenProfile, load_profile

GOOD = (PROFILES / "aixplorer.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(PROFILES.glob("*.toml")), ids=lambda file: file.stem)
def test_shipped_profiles_load_by_name_and_by_file(file: Path) -> None:
    """Every shipped profile is valid, and is found by its name as well as by its file."""
    assert load_profile(file.stem) == load_profile(file)


def test_aixplorer_bar_stands_where_it_was_measured() -> None:
    """The colour bar's place is the one measured on two scanners."""
    assert load_profile("aixplorer").colour_bar.rect == (1386, 141, 18, 220)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("format = 1", "format = 2", "has format 2, but this version reads format 1; update fibrostage"),
        ("format = 1", "format = 0", "format"),
        ("opacity = 0.5", "opacity = 1.5", "blend.opacity"),
        ("opacity = 0.5", "opaqity = 0.5", "did you mean 'opacity'?"),
        ("[readout.languages.de]", "[readout.languages.dee]", "did you mean 'de'?"),
        ('depth = ["tiefe"]', 'deph = ["tiefe"]', "did you mean 'depth'?"),
        ("[banner]", "[baner]", "did you mean 'banner'?"),
        ('mean = ["mittel"', 'mean = ["tiefe"', "label 'tiefe' means both mean and depth"),
        ("= [40.0]", "= [400.0]", "allowed range 400 kPa is not among the plausible 5-300"),
        ("= [5.0, 300.0]", "= [300.0, 5.0]", "plausible_maxima_kpa"),
        ("require_readout = true", "require_readout = 'maybe'", "readout.require_readout"),
        ("[1386, 141, 18, 220]", "[1430, 141, 18, 220]", "leaves the 1440x1080 screen"),
        ("[311, 592, 775, 440]", "[311, 592, 775, 430]", "differ in size"),
        ("[12.0, 130.0]", "[130.0, 12.0]", "radius"),
        ("[12.0, 130.0]", "[12.0, inf]", "finite"),
        ("[12.0, 130.0]", "[12.0, 1e300]", "does not fit into a pane"),
        ("= [40.0]", "= [nan]", "finite"),
        ("format = 1", "format = ", "not TOML"),
        ("format = 1", "format = 0x" + "f" * 20_000, "64 bits"),
        ("format = 1", "format = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_mistakes_are_named(old: str, new: str, named: str, tmp_path: Path) -> None:
    """A wrong profile is refused with the file and the place of the mistake."""
    assert old in GOOD
    file = tmp_path / "mine.toml"
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ProfileError, match=r"mine\.toml") as caught:
        load_profile(file)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_panes_that_nobody_could_read_are_refused(tmp_path: Path) -> None:
    """Panes of one pixel would break the reader."""
    panes = load_profile("aixplorer").panes
    text = GOOD
    for x, y, w, h in (panes.elastogram, panes.gray):
        assert f"[{x}, {y}, {w}, {h}]" in text
        text = text.replace(f"[{x}, {y}, {w}, {h}]", f"[{x}, {y}, 1, 1]")
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError, match="fewer than 64 pixels"):
        load_profile(file)


def test_links_in_a_circle_are_no_profile(tmp_path: Path) -> None:
    """A link to itself is named as what it is."""
    file = tmp_path / "mine.toml"
    file.symlink_to(file)
    with pytest.raises(ProfileError, match="symbolic links"):
        load_profile(file)


def test_every_field_is_described() -> None:
    """Each setting of a profile says what it is; tables of settings describe themselves."""

    def undescribed(model: type[BaseModel]) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                assert kind.__doc__
                found += undescribed(kind)
            elif not field.description:
                found.append(f"{model.__name__}.{name}")
        return found

    assert undescribed(ScreenProfile) == []


def test_labels_of_all_languages_are_merged() -> None:
    """Four languages are read at once, each label once, depth and stability index among them."""
    readout = load_profile("aixplorer").readout
    assert set(readout.languages) == {"en", "de", "fr", "it"}
    assert {"mean", "mittelwert", "moy", "media"} <= set(readout.labels["mean"])
    assert {"depth", "tiefe", "prof"} <= set(readout.labels["depth"])
    assert {"si", "is"} <= set(readout.labels["stability_index"])
    assert len(readout.labels["max"]) == len(set(readout.labels["max"]))
    assert readout.require_readout


def test_near_name_of_a_profile_is_suggested() -> None:
    """A misspelt name gets the nearest known one."""
    with pytest.raises(ProfileError, match="did you mean 'mach30'"):
        load_profile("mach_30")


def test_missing_and_unknown_profiles_are_named(tmp_path: Path) -> None:
    """A file that is not there and a name that is not known are told apart, with what is known."""
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(tmp_path / "none.toml")
    with pytest.raises(ProfileError, match="aixplorer"):
        load_profile("epiq")


def test_binary_file_is_named(tmp_path: Path) -> None:
    """A file that is no text is refused like one that is no TOML."""
    file = tmp_path / "binary.toml"
    file.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ProfileError, match="not TOML"):
        load_profile(file)
