"""The overlay as GStreamer takes it: prepared once for each patch, composed for what holds in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_app.overlay.guards import Luma, ScaledLuma
from firmware_app.overlay.layers import Patch, Scene
from firmware_app.video.graph import Gst, GstVideo, layout_of
from firmware_app.video.pixels import BufferLuma


def rectangle_of(patch: Patch) -> GstVideo.VideoOverlayRectangle:
    """Prepare what GStreamer blends; once per patch, not per frame."""
    height, width = patch.pixels.shape[:2]
    buffer = Gst.Buffer.new_wrapped(patch.pixels.tobytes())
    # GStreamer reads the patch's format and size from this meta; without it, it crashes.
    GstVideo.buffer_add_video_meta(
        buffer, GstVideo.VideoFrameFlags.NONE, GstVideo.VideoFormat.BGRA, width, height
    )
    return GstVideo.VideoOverlayRectangle.new_raw(
        buffer, patch.x, patch.y, width, height, GstVideo.VideoOverlayFormatFlags.NONE
    )


def composition_of(rectangles: Sequence[GstVideo.VideoOverlayRectangle]) -> Gst.MiniObject | None:
    """What GStreamer blends into a frame; None: nothing."""
    if not rectangles:
        return None
    composition = GstVideo.VideoOverlayComposition.new(rectangles[0])
    for rectangle in rectangles[1:]:
        composition.add_rectangle(rectangle)
    return composition


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A scene, its patches as GStreamer takes them, and what was composed of them by verdict."""

    scene: Scene
    rectangles: dict[Patch, GstVideo.VideoOverlayRectangle]
    compositions: dict[tuple[bool, ...], Gst.MiniObject | None]


class Drawing:
    """What the overlay draws; outlives the sessions.

    The owner replaces the scene as a whole; GStreamer's thread looks at each frame and draws what holds.
    """

    def __init__(self) -> None:
        self._prepared = _Prepared(Scene(), {}, {})
        self._video: GstVideo.VideoInfo | None = None

    @property
    def wanted_size(self) -> tuple[int, int] | None:
        """Width and height of the picture for which the scene was drawn; None: any."""
        return self._prepared.scene.size

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture that is drawn on; None: none was seen yet."""
        return None if self._video is None else (self._video.width, self._video.height)

    def show(self, scene: Scene) -> None:
        """Draw this from the next frame on."""
        known = self._prepared.rectangles
        patches = [p for layer in scene.layers for p in (*layer.patches, *layer.otherwise)]
        rectangles = {patch: known.get(patch) or rectangle_of(patch) for patch in patches}
        self._prepared = _Prepared(scene, rectangles, {})

    def begin(self, caps: Gst.Caps) -> None:
        """Frames of this form follow."""
        self._video = GstVideo.VideoInfo.new_from_caps(caps)

    def over(self, buffer: Gst.Buffer) -> Gst.MiniObject | None:
        """What is drawn over this frame."""
        prepared = self._prepared
        if self._video is None or prepared.scene.size not in {None, self.size}:
            return None
        verdict = self._look(prepared.scene, buffer, self._video)
        if verdict not in prepared.compositions:
            chosen = [prepared.rectangles[patch] for patch in prepared.scene.patches(verdict)]
            prepared.compositions[verdict] = composition_of(chosen)
        return prepared.compositions[verdict]

    @staticmethod
    def _look(scene: Scene, buffer: Gst.Buffer, video: GstVideo.VideoInfo) -> tuple[bool, ...]:
        if not scene.is_guarded:
            return scene.verdict(None)
        mapped, info = buffer.map(Gst.MapFlags.READ)
        if not mapped:
            return scene.verdict(None)
        try:
            luma: Luma = BufferLuma(np.frombuffer(info.data, np.uint8), layout_of(buffer, video))
            if scene.measured not in {None, scene.size} and scene.measured is not None:
                across, down = video.width / scene.measured[0], video.height / scene.measured[1]
                luma = ScaledLuma(luma, across, down)
            return scene.verdict(luma)
        finally:
            buffer.unmap(info)
