"""Whatever stands in the file, the loader gives settings or one sentence, never a traceback."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.config import Config, load_config, render_config
from firmware_app.config.migrations import migrate_file
from firmware_app.config.settings import sections
from firmware_app.errors import ConfigError

T = TypeVar("T")
EXAMPLE = (Path(__file__).parents[2] / "systemd" / "fibrostage.example.toml").read_text("utf-8")
SECRET = f"{0x5EC2E7:x}"  # Hypothesis tries every constant that it finds
NAMES = sorted({*Config.model_fields, *(name for s in sections().values() for name in s.model_fields)})

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        texts,
        st.sampled_from(["file", "rtsp", "none", "/dev/null", "a/b", f"rtsp://a:{SECRET}@b"]),
        st.datetimes(),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=3)
    ),
    max_leaves=8,
)
tables = st.dictionaries(st.sampled_from(NAMES) | texts, values, max_size=6)


@st.composite
def mutated_examples(draw: st.DrawFn) -> str:
    """The example with a few places cut out, doubled or written over."""
    text = EXAMPLE.replace("\n# ", "\n") if draw(st.booleans()) else EXAMPLE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(texts | st.just(text[start:end] * 2)) + text[end:]
    return text


def refusal_of(work: Callable[[Path], T], path: Path) -> T | str:
    """What the work gives, or the sentence with which it refuses the file that it names."""
    try:
        return work(path)
    except ConfigError as refusal:
        sentence = str(refusal)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence


def outcome_of(content: bytes) -> Config | None:
    """The settings in a file; None: it is refused, in one line that names it and tells no secret."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fibrostage.toml"
        path.write_bytes(content)
        config = refusal_of(load_config, path)
        if isinstance(config, str):
            assert f"rtsp://a:{SECRET}@b" not in config
            return None
        again = Path(folder) / "again.toml"
        again.write_text(render_config(config), encoding="utf-8")
        assert f"rtsp://a:{SECRET}@b" not in again.read_text("utf-8")
        load_config(again)
        return config


@settings(deadline=None)  # the disk of a busy machine
@given(tables)
def test_any_table_is_settings_or_one_sentence(table: Mapping[str, object]) -> None:
    """Random names with random values, in random depth."""
    outcome_of(tomlkit.dumps(table).encode())


@settings(deadline=None)  # the disk of a busy machine
@given(mutated_examples())
def test_a_mutated_example_is_settings_or_one_sentence(text: str) -> None:
    """The slips of an editor: something cut, doubled or overwritten."""
    outcome_of(text.encode())


@settings(deadline=None)  # the disk of a busy machine
@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_one_sentence(content: bytes) -> None:
    """What is no text at all."""
    outcome_of(content)


@settings(max_examples=50, deadline=None)
@given(tables | mutated_examples())
def test_lifting_a_file_changes_no_setting(given_file: Mapping[str, object] | str) -> None:
    """A file on the disk, lifted, means what it meant before, keeps every comment and is lifted once only."""
    text = given_file if isinstance(given_file, str) else tomlkit.dumps(given_file)
    content = text.encode()
    before = outcome_of(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fibrostage.toml"
        path.write_bytes(content)
        done = refusal_of(migrate_file, path)
        if isinstance(done, str):
            assert before is None
            assert [file.read_bytes() for file in Path(folder).iterdir()] == [content]
            return
        if done is None:
            assert path.read_bytes() == content
            return
        assert done.backup.read_bytes() == content
        assert outcome_of(path.read_bytes()) == before
        assert migrate_file(path) is None


def test_a_nest_too_deep_is_refused() -> None:
    """Ten thousand brackets are no stack overflow."""
    assert outcome_of(b"room = " + b"[" * 10_000) is None
