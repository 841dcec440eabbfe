"""A picture of a cohort from its file to what the networks see of it.

PNG and JPEG by OpenCV; DICOM by pydicom, of which the elements that hold pixels are read and no other: no
name, number or date leaves the file.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calibration.profile import load_profile
from firmware_app.crop import crop_pair
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Frame, Picture, Rejected
from model_export.errors import NotInstalledError, PictureError
from model_export.eyes import Shot, look
from model_export.study.cohort_tables import ImageRow

PROFILE = "aixplorer"
"""The screens of the paper's scanner."""
DICOM = frozenset({".dcm", ".dicom"})
KINDS = frozenset({".png", ".jpg", ".jpeg"}) | DICOM
_PIXELS = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
           "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames",
           "PixelData")  # fmt: skip


def decode(path: Path) -> Picture:
    """The whole picture, BGR (height, width, 3), uint8.

    Raises:
        PictureError: it cannot be decoded; the sentence says why.
        NotInstalledError: pydicom is needed and not installed.
    """
    if path.suffix.lower() in DICOM:
        return _decode_dicom(path)
    try:
        # What OpenCV prints of a damaged file would hide the list of problems.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        content = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error) as error:
        raise PictureError(f"cannot be read ({type(error).__name__}); export it anew") from None
    if picture is None:
        raise PictureError("is no PNG or JPEG picture, or is damaged; export it anew")
    return np.asarray(picture, dtype=np.uint8)


def _decode_dicom(path: Path) -> Picture:
    try:
        import pydicom  # noqa: PLC0415 - absent where only the appliance is installed
        from pydicom.pixels.utils import pixel_array  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    try:
        dataset = pydicom.dcmread(path, specific_tags=list(_PIXELS))
        pixels = np.asarray(pixel_array(dataset))
        palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
    # pydicom and its decoders raise whatever a damaged file leads them to
    except Exception as error:  # noqa: BLE001 - see above
        raise PictureError(f"is no DICOM picture that pydicom can decode ({type(error).__name__})") from None
    if palette or pixels.dtype != np.uint8:
        raise PictureError("is no DICOM picture of 8 bits in gray or RGB; export it as the screen shows it")
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PictureError("holds several frames; export the frozen screens one by one")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8)


def check(image: ImageRow, pictures: tuple[Picture, ...]) -> str:
    """What is wrong with a row's decoded pictures, "" if nothing is."""
    if len(pictures) == 2:
        for name, crop in zip(("elastogram_file", "gray_file"), pictures, strict=True):
            if crop.shape[0] != crop.shape[1]:
                return f"the crop {name} is no square ({crop.shape[1]}x{crop.shape[0]})"
    elif image.roi is not None:
        height, width = pictures[0].shape[:2]
        for name, square in (("roi_elastogram", image.roi.elastogram), ("roi_gray", image.roi.gray)):
            if square.x + square.side > width or square.y + square.side > height:
                return f"{name} leaves the picture of {width}x{height}"
    return ""


def shot_of(folder: Path, image: ImageRow) -> Shot | Rejected:
    """What the networks see of a picture, or why the appliance would refuse it.

    Crops that are given, ready or as a square, are taken as they are; whole screens the appliance reads.
    """
    pictures = [decode(folder / name) for name in image.files]
    if len(pictures) == 2:
        elastogram, gray = (
            prepare(np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), dtype=np.uint8)) for crop in pictures
        )
        return Shot(gray, elastogram, image.lsm_kpa or 0.0)
    if image.roi is not None:
        crops = crop_pair(Frame(pixels=pictures[0], number=0, pts_ns=0, captured_ns=0), image.roi)
        return Shot(prepare(crops.gray), prepare(crops.elastogram), image.lsm_kpa or 0.0)
    seen = look(load_profile(PROFILE), pictures[0])
    if isinstance(seen, Rejected) or image.lsm_kpa is None:
        return seen
    return Shot(seen.gray, seen.elastogram, image.lsm_kpa)
