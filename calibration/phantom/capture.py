"""Capture chains: what cables, converters and cards do to a screen before the appliance sees it.

    the screen -> where it lies (scaled, boxed, stretched, cropped) -> levels (limited range, wrong matrix)
               -> coding (chroma at half size, MJPEG, H.264)

`capture` takes one picture through; the truth is mapped to the pixels that come out. H.264 is coded by
GStreamer as a capture card would, and costs a process: `capture_h264` takes many stills through one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from calibration.phantom.geometry import SCREEN_HEIGHT, SCREEN_WIDTH
from calibration.phantom.pipe import GStreamerPipe, VideoFormat
from calibration.phantom.randomness import stream
from calibration.phantom.truth import NATIVE_SIZE, FrameTruth, Picture, Placement, Viewport

STILL_FRAMES = 4
"""Frames for which each still is shown to the encoder; the last is kept, as after a fifteenth of a second."""
STILLS_PER_PROCESS = 16
"""Bounds the decoded frames on disk: 16 x 4 frames of 1920x1080 take 200 MB."""
CODED_FPS = 60


class Chain(str, Enum):
    """A capture chain, alone or in a useful combination."""

    NATIVE = "native"
    HALF = "half"
    PILLAR_BOXED = "pillar_boxed"
    STRETCHED = "stretched"
    SXGA = "sxga"
    CROPPED = "cropped"
    LIMITED_RANGE = "limited_range"
    WRONG_MATRIX = "wrong_matrix"
    CHROMA_420 = "chroma_420"
    MJPEG = "mjpeg"
    H264 = "h264"
    HALF_MJPEG = "half_mjpeg"
    PILLAR_BOXED_H264 = "pillar_boxed_h264"
    STRETCHED_MJPEG = "stretched_mjpeg"
    STRETCHED_H264 = "stretched_h264"
    SXGA_LIMITED_MJPEG = "sxga_limited_mjpeg"
    CROPPED_LIMITED_420 = "cropped_limited_420"
    LIMITED_H264 = "limited_h264"
    PILLAR_BOXED_MATRIX_MJPEG = "pillar_boxed_matrix_mjpeg"


@dataclass(frozen=True, slots=True)
class Steps:
    """What a chain does.

    Attributes:
        size: width and height that come out.
        stretch: the screen fills that size, whatever its proportions.
        crop: a few rows or columns are missing at a side.
        limited: 0-255 becomes 16-235 and is not undone.
        wrong_matrix: coded with BT.709 and decoded with BT.601, or the other way round.
        coding: "none", "420", "mjpeg" or "h264".
    """

    size: tuple[int, int] = NATIVE_SIZE
    stretch: bool = False
    crop: bool = False
    limited: bool = False
    wrong_matrix: bool = False
    coding: str = "none"


_HD, _HALF, _SXGA = (1920, 1080), (720, 540), (1280, 1024)
STEPS: dict[Chain, Steps] = {
    Chain.NATIVE: Steps(),
    Chain.HALF: Steps(_HALF),
    Chain.PILLAR_BOXED: Steps(_HD),
    Chain.STRETCHED: Steps(_HD, stretch=True),
    Chain.SXGA: Steps(_SXGA, stretch=True),
    Chain.CROPPED: Steps(crop=True),
    Chain.LIMITED_RANGE: Steps(limited=True),
    Chain.WRONG_MATRIX: Steps(wrong_matrix=True),
    Chain.CHROMA_420: Steps(coding="420"),
    Chain.MJPEG: Steps(coding="mjpeg"),
    Chain.H264: Steps(coding="h264"),
    Chain.HALF_MJPEG: Steps(_HALF, coding="mjpeg"),
    Chain.PILLAR_BOXED_H264: Steps(_HD, coding="h264"),
    Chain.STRETCHED_MJPEG: Steps(_HD, stretch=True, coding="mjpeg"),
    Chain.STRETCHED_H264: Steps(_HD, stretch=True, coding="h264"),
    Chain.SXGA_LIMITED_MJPEG: Steps(_SXGA, stretch=True, limited=True, coding="mjpeg"),
    Chain.CROPPED_LIMITED_420: Steps(crop=True, limited=True, coding="420"),
    Chain.LIMITED_H264: Steps(limited=True, coding="h264"),
    Chain.PILLAR_BOXED_MATRIX_MJPEG: Steps(_HD, wrong_matrix=True, coding="mjpeg"),
}


def _scaled(picture: Picture, steps: Steps) -> tuple[Picture, Placement]:
    """Returns the picture in the chain's size, and where its pixels went.

    A picture of another size than the native screen's (a negative may have any) is brought to it first.
    """
    if picture.shape[:2] != (SCREEN_HEIGHT, SCREEN_WIDTH):
        picture = np.asarray(cv2.resize(picture, NATIVE_SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    viewport = Viewport.fit(*steps.size, stretch=steps.stretch)
    return viewport.apply(picture), viewport.placement


def _cropped(picture: Picture, rng: np.random.Generator, *, coded: bool) -> tuple[Picture, int, int]:
    """Returns the picture without a few rows or columns, and how far its pixels moved (x, y).

    Half the time the card keeps the size of the picture and fills up with black.
    """
    height, width = picture.shape[:2]
    step = 2 if coded else 1
    side = int(rng.integers(0, 5))
    count = step * int(rng.integers(1, 9))
    left = count if side in {0, 4} else 0
    right = count if side == 1 else 0
    top = count if side in {2, 4} else 0
    bottom = count if side == 3 else 0
    part = picture[top : height - bottom, left : width - right]
    if rng.random() < 0.5:
        return np.ascontiguousarray(part), -left, -top
    out = np.zeros_like(picture)
    out[: part.shape[0], : part.shape[1]] = part
    return out, -left, -top


def _limited(picture: Picture) -> Picture:
    """Returns the picture with 0-255 mapped to 16-235."""
    table = np.rint(16 + np.arange(256) * (219 / 255)).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), dtype=np.uint8)


def _to_ycc(kr: float, kb: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Returns the matrix from B, G, R to Y, Cb, Cr for the weights of red and blue."""
    y = np.array([kb, 1 - kr - kb, kr])
    blue, red = np.array([1.0, 0, 0]) - y, np.array([0, 0, 1.0]) - y
    return np.stack([y, blue / (2 * (1 - kb)), red / (2 * (1 - kr))])


_BT601, _BT709 = _to_ycc(0.299, 0.114), _to_ycc(0.2126, 0.0722)


def _wrong_matrix(picture: Picture, *, coded_as_709: bool) -> Picture:
    """Returns the picture as decoded with the other standard's matrix."""
    coded, decoded = (_BT709, _BT601) if coded_as_709 else (_BT601, _BT709)
    matrix = np.linalg.inv(decoded) @ coded
    mixed = cv2.transform(picture.astype(np.float32), matrix.astype(np.float32))
    return np.asarray(np.clip(np.rint(mixed), 0, 255), dtype=np.uint8)


def _i420(picture: Picture) -> Picture:
    """Returns the planes Y, U, V below one another (BT.601, limited range); width and height even.

    OpenCV takes a block's colour from its upper left pixel; a converter averages all four, and so do we.
    """
    height, width = picture.shape[:2]
    blocks = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    even = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
    planes[height:] = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)[height:]
    return planes


def _chroma_420(picture: Picture) -> Picture:
    """Returns the picture after colour at half width and height, as video carries it."""
    height, width = picture.shape[:2]
    even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    back = cv2.cvtColor(_i420(np.asarray(even, dtype=np.uint8)), cv2.COLOR_YUV2BGR_I420)
    return np.ascontiguousarray(back[:height, :width])


def _mjpeg(picture: Picture, rng: np.random.Generator) -> Picture:
    """Returns the picture after JPEG of quality 75-95, colour at half width and mostly half height."""
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if rng.random() < 0.6 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422
    )
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        int(rng.integers(75, 96)),
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        sampling,
    ]
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", picture, options)[1], cv2.IMREAD_COLOR), dtype=np.uint8
    )


def _code_stills(pictures: Sequence[Picture], kbit_per_s: int) -> list[Picture]:
    """Returns stills of one size after H.264, each as it looks `STILL_FRAMES` after it appeared."""
    height, width = pictures[0].shape[:2]
    video = VideoFormat(width, height, CODED_FPS)
    with TemporaryDirectory(prefix="fibrostage-") as folder:
        raw = Path(folder) / "frames"
        encoder = (
            f"x264enc tune=zerolatency speed-preset=superfast bitrate={kbit_per_s} key-int-max={CODED_FPS} "
            f"! video/x-h264,profile=main ! h264parse ! avdec_h264 ! video/x-raw,format=I420 "
            f"! filesink location={raw}"
        )
        with GStreamerPipe(video, encoder) as pipe:
            for picture in pictures:
                frame = _i420(picture).tobytes()
                for _ in range(STILL_FRAMES):
                    pipe.write(frame)
            pipe.finish()
        frames = np.fromfile(raw, dtype=np.uint8).reshape(-1, height * 3 // 2, width)
    last = frames[STILL_FRAMES - 1 :: STILL_FRAMES]
    return [np.asarray(cv2.cvtColor(f, cv2.COLOR_YUV2BGR_I420), dtype=np.uint8) for f in last]


def capture_h264(pictures: Sequence[Picture], kbit_per_s: int = 10_000) -> list[Picture]:
    """Takes stills through H.264 as a capture card codes it: 4:2:0, no look-ahead, 60 frames per second.

    Args:
        pictures: BGR, all of one size: the width a multiple of 8, the height even.
        kbit_per_s: bit rate; cards use 8,000-12,000.

    Returns:
        The decoded stills, in order.

    Raises:
        VideoOutputError: GStreamer or its encoder is missing.
    """
    rest, out = iter(pictures), list[Picture]()
    while batch := list(islice(rest, STILLS_PER_PROCESS)):
        out += _code_stills(batch, kbit_per_s)
    return out


def _before_coding(picture: Picture, chain: Chain, seed: int) -> tuple[Picture, Placement]:
    """Returns the picture with the chain's place and levels, not coded yet."""
    steps, rng = STEPS[chain], stream(seed, "capture", chain.value)
    out, placement = _scaled(picture, steps)
    if steps.crop:
        out, dx, dy = _cropped(out, rng, coded=steps.coding == "h264")
        placement = replace(placement, dx=placement.dx + dx, dy=placement.dy + dy)
    if steps.limited:
        out = _limited(out)
    if steps.wrong_matrix:
        out = _wrong_matrix(out, coded_as_709=bool(rng.random() < 0.5))
    return out, placement


def _truth_after(truth: FrameTruth, placement: Placement, picture: Picture, chain: Chain) -> FrameTruth:
    moved = placement.truth(truth, (picture.shape[1], picture.shape[0]))
    black, white = (16.0, 235.0) if STEPS[chain].limited else (0.0, 255.0)
    return replace(moved, chain=chain.value, black=black, white=white)


def _coded(picture: Picture, chain: Chain, seed: int) -> Picture:
    """Returns the picture after the chain's coding, H.264 apart."""
    match STEPS[chain].coding:
        case "420":
            return _chroma_420(picture)
        case "mjpeg":
            return _mjpeg(picture, stream(seed, "mjpeg"))
        case _:
            return picture


def _through(
    pictures: Sequence[Picture], chain: Chain, seeds: Sequence[int]
) -> tuple[list[Picture], list[Placement]]:
    placed = [_before_coding(p, chain, s) for p, s in zip(pictures, seeds, strict=True)]
    flat = [picture for picture, _ in placed]
    if STEPS[chain].coding == "h264":
        coded = capture_h264(flat)
    else:
        coded = [_coded(p, chain, s) for p, s in zip(flat, seeds, strict=True)]
    return coded, [placement for _, placement in placed]


def capture_pictures(pictures: Sequence[Picture], chain: Chain, seeds: Sequence[int]) -> list[Picture]:
    """Takes pictures of any kind through a chain; H.264 in one go.

    Args:
        pictures: BGR; of another size than the native screen's, they are brought to it first.
        chain: what happens to them.
        seeds: one for each: which rows are missing, which quality is used.
    """
    return _through(pictures, chain, seeds)[0]


def capture_many(
    pictures: Sequence[Picture], truths: Sequence[FrameTruth], chain: Chain, seeds: Sequence[int]
) -> tuple[list[Picture], list[FrameTruth]]:
    """Takes native screens through a chain as `capture` does; H.264 in one go, which saves its start."""
    out, places = _through(pictures, chain, seeds)
    return out, [_truth_after(t, place, p, chain) for t, place, p in zip(truths, places, out, strict=True)]


def capture(picture: Picture, truth: FrameTruth, chain: Chain, seed: int) -> tuple[Picture, FrameTruth]:
    """Takes one native screen through a chain.

    Args:
        picture: BGR (1080, 1440, 3).
        truth: what is on it, in native pixels.
        chain: what happens to it.
        seed: which rows are missing, which quality is used.

    Returns:
        The picture that comes out, and the truth in its pixels, with `chain`, `black` and `white` filled in.
    """
    pictures, truths = capture_many([picture], [truth], chain, [seed])
    return pictures[0], truths[0]
