"""A real RTSP sender in a process of its own: GStreamer's RTSP server, with bindings of its own.

    python rtsp_server.py PORT [--password WORD] [--silent SECONDS] [--size WxH] [--codec h264|vp8]

Prints one line once it listens. Silent: after so many seconds no picture follows, and the connection stays.
"""

from __future__ import annotations

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions come first


def _launch(options: argparse.Namespace) -> str:
    width, height = options.size.split("x")
    source = (
        f"videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate=30/1"
    )
    gate = " ! valve name=gate"
    if options.codec == "vp8":
        return f"( {source} ! vp8enc deadline=1{gate} ! rtpvp8pay name=pay0 pt=96 )"
    return (
        f"( {source} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15{gate} "
        "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )


def _fall_silent(
    _factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia, after_ms: int
) -> None:
    gate = media.get_element().get_by_name("gate")
    GLib.timeout_add(after_ms, lambda: gate.set_property("drop", True))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--password")
    parser.add_argument("--silent", type=float, default=0.0)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--codec", default="h264")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer(service=options.port, address="127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory(launch=_launch(options), shared=True)
    if options.silent:
        factory.connect("media-configure", _fall_silent, int(1000 * options.silent))
    if options.password:
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
        auth = GstRtspServer.RTSPAuth()
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("user", options.password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/video", factory)
    server.attach(None)
    print("listening", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
