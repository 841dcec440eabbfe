from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from calibration.phantom import Viewport
from calibration.phantom.exam import ExamScript, Phase, PhaseKind, write_script
from calibration.phantom.exam_truth import exam_truth
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Picture

NATIVE = Viewport.fit(1440, 1080)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """One exam of a stage 3 patient at 60 frames per second, native size."""
    return Scanner(write_script(7, 3), NATIVE)


def phases(script: ExamScript, name: str) -> list[Phase]:
    """Returns the script's phases of this name."""
    return [p for p in script.phases if p.name == name]


def upper(picture: Picture) -> Picture:
    """Returns the elastogram's pane."""
    return picture[142:582, 312:1088]


def lower(picture: Picture) -> Picture:
    """Returns the gray-scale pane."""
    return picture[593:1033, 312:1088]


@pytest.mark.parametrize("seed", range(12))
def test_an_exam_has_five_acquisitions_one_refusal_and_one_doppler_moment(seed: int) -> None:
    """Every script holds 5 measured freezes, 1 refused, 1 Doppler moment and ends with the next patient."""
    script = write_script(seed, None)
    assert [p.acquisition for p in phases(script, "measured")] == [0, 1, 2, 3, 4]
    assert len(phases(script, "refused_measured")) == 1
    assert len(phases(script, "doppler")) == 1
    assert script.phases[-1].kind is PhaseKind.NEXT_PATIENT
    assert script.phases[-1].exam == 1
    assert 40 <= script.frame_count / script.fps <= 52


def test_phases_follow_one_another_without_gaps() -> None:
    """Each frame belongs to exactly one phase; a live phase stands before each freeze."""
    script = write_script(3, 2, fps=25, patients=2)
    assert script.phases[0].start_frame == 0
    for before, after in pairwise(script.phases):
        assert before.end_frame == after.start_frame
        assert (after.kind is PhaseKind.FREEZE) <= (before.kind is PhaseKind.LIVE)
        assert (after.kind is PhaseKind.MEASURED) == (before.kind is PhaseKind.FREEZE)
    for frame in (0, 100, script.frame_count - 1):
        phase = script.phases[script.phase_index(frame)]
        assert phase.start_frame <= frame < phase.end_frame


def test_sessions_of_several_patients_continue(scanner: Scanner) -> None:
    """The banner after an exam is that of the next exam's patient, also where a session is continued."""
    whole, tail = write_script(7, 3, patients=2), write_script(7, 3, patients=1, first=1)
    assert whole.exams[1:] == tail.exams
    assert whole.exams[:2] == scanner.script.exams
    assert whole.exams[0].patient.stage == 3
    assert len({e.seed for e in whole.exams}) == 3


def test_a_frozen_screen_stands_still_but_for_its_clock(scanner: Scanner) -> None:
    """From the freeze to the next live phase both panes stay, and only then come Q-box and read-out."""
    freeze, measured = phases(scanner.script, "freeze")[0], phases(scanner.script, "measured")[0]
    first = scanner.picture(freeze.start_frame)
    last = scanner.picture(freeze.end_frame - 1)
    shown = scanner.picture(measured.start_frame)
    assert np.array_equal(upper(first), upper(last))
    assert not np.array_equal(upper(last), upper(shown))
    assert np.array_equal(shown[450:660, 1150:], scanner.picture(measured.end_frame - 1)[450:660, 1150:])
    assert last[430:660, 1150:].max() == 0
    assert shown[430:660, 1150:].max() > 150
    snowflake = (slice(612, 645), slice(1056, 1087))
    live = scanner.picture(freeze.start_frame - 1)
    assert first[snowflake].mean() > live[snowflake].mean() + 10
    header = (slice(0, 30), slice(1150, 1440))
    later = scanner.picture(measured.start_frame + 60)
    assert not np.array_equal(shown[header], later[header])


def test_the_live_map_refreshes_once_or_twice_a_second(scanner: Scanner) -> None:
    """In live SWE the map starts empty, changes at 1-2 Hz, and the B-mode picture at 11-14 Hz."""
    live = phases(scanner.script, "live")[0]
    seconds = (live.end_frame - live.start_frame) / 60
    pictures = {id(p): p for p in (scanner.picture(f) for f in range(live.start_frame, live.end_frame))}
    ordered = list(pictures.values())
    assert 10 * seconds <= len(ordered) <= 17 * seconds
    diff = [np.abs(upper(p).astype(int) - lower(p)).max() for p in ordered]
    assert diff[0] <= 90  # no colour yet: at most the marks differ
    assert diff[-1] > 90
    # The unblended colour is blue to red where there is a map, and nearly gray where there is none.
    colours = [2 * upper(p).astype(int) - lower(p) for p in ordered]
    hues = [(c[..., 0] - c[..., 2])[180:280, 340:440] for c in colours]
    jumps = [np.abs(a - b).mean() > 6 for a, b in pairwise(hues)]
    assert 1 <= sum(jumps) <= 2 * seconds + 1


def test_equal_frames_are_one_array(scanner: Scanner) -> None:
    """Frames on which nothing changes are the very same array, whatever order they are asked in."""
    measured = phases(scanner.script, "measured")[1]
    start = -(-measured.start_frame // 60) * 60
    assert scanner.picture(start) is scanner.picture(start + 20)
    copy = scanner.picture(start).copy()
    scanner.picture(10)
    assert np.array_equal(scanner.picture(start + 30), copy)


def test_doppler_shows_flow_and_no_stiffness_bar(scanner: Scanner) -> None:
    """The Doppler moment has red and blue flow and a velocity bar in place of the stiffness bar."""
    doppler = phases(scanner.script, "doppler")[0]
    picture = scanner.picture((doppler.start_frame + doppler.end_frame) // 2).astype(int)
    pane = picture[142:1033, 232:1152]
    assert ((pane[..., 2] - pane[..., 0]) > 100).mean() > 0.005
    assert ((pane[..., 0] - pane[..., 2]) > 100).mean() > 0.005
    bar = picture[141:361, 1390]
    assert bar[:100, 2].min() > 60
    assert bar[:100, 0].max() == 0
    assert bar[125:, 0].min() > 60


def test_the_next_patient_has_another_banner(scanner: Scanner) -> None:
    """Name and number change with the patient, and only then."""
    banner = (slice(0, 90), slice(520, 1010))
    last = scanner.script.phases[-1]
    own = scanner.picture(0)[banner]
    assert np.array_equal(own, scanner.picture(last.start_frame - 1)[banner])
    assert not np.array_equal(own, scanner.picture(last.start_frame)[banner])


def test_the_truth_of_an_exam_names_what_is_in_it(scanner: Scanner) -> None:
    """Five filled acquisitions whose mean is the patient's LSM, and two refusals with their reasons."""
    truth = exam_truth(scanner, "test")
    acquisitions, refusals = truth["acquisitions"], truth["refusals"]
    assert isinstance(acquisitions, list)
    assert isinstance(refusals, list)
    assert len(acquisitions) == 5
    assert sorted(r["reason"] for r in refusals) == ["box_unfilled", "doppler"]
    unfilled = next(r for r in refusals if r["reason"] == "box_unfilled")
    assert 0.6 <= unfilled["filled_fraction"] <= 0.9
    assert all(a["filled_fraction"] >= 0.95 and a["readout"]["min_kpa"] > 0.2 for a in acquisitions)
    mean = np.mean([a["q_box_mean_kpa"] for a in acquisitions])
    assert mean == pytest.approx(scanner.script.exams[0].patient.lsm_kpa, rel=0.01)
    assert truth["patient"]["stage"] == 3  # type: ignore[index] # a JSON object


def test_the_same_seed_plays_the_same_exam(scanner: Scanner) -> None:
    """A second scanner draws the same frames, asked in another order."""
    again = Scanner(write_script(7, 3), NATIVE)
    for frame in (1500, 200, 30):
        assert np.array_equal(again.picture(frame), scanner.picture(frame))
