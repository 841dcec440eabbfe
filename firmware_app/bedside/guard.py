"""Who may come in: strict headers, the right host and origin, a session where a PIN is set, bounded requests.

One piece of ASGI middleware in front of everything. A page of another site can neither read from the
appliance (hosts and cookies) nor command it (origin, content type).
"""

from __future__ import annotations

import time
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware_app.bedside.access import Access

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
}
LONGEST_BODY = 4096
LONGEST_PATH = 512
METHODS = frozenset({"GET", "POST"})


class Guard:
    """Lets through what may pass.

    Args:
        app: what is guarded.
        access: PIN and sessions.
        open_paths: what is served before the PIN is known.
        hosts: names under which the page may be asked for; None: any, since PIN and TLS stand before it.
        tls: whether cookies are for TLS only.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        open_paths: Collection[str],
        hosts: frozenset[str] | None,
        *,
        tls: bool,
    ) -> None:
        self._app = app
        self._access = access
        self._open_paths = frozenset(open_paths)
        self._hosts = hosts
        self._scheme = "https" if tls else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, and pass on with strict headers on whatever is answered."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"]).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            return
        turned_away = self._objection(scope)
        await (turned_away or self._app)(scope, receive, send_strictly)

    def _objection(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in METHODS:
            return refusal(405)
        if len(scope["path"]) > LONGEST_PATH:
            return refusal(414)
        if self._hosts is not None and _host(headers.get("host", "")) not in self._hosts:
            return refusal(421)
        if scope["method"] == "POST":
            refused = self._post_objection(headers)
            if refused is not None:
                return refused
        path = scope["path"]
        if path in self._open_paths or self._access.may_see(session_of(headers), time.monotonic()):
            return None
        return RedirectResponse("/pin", 303) if path == "/" else refusal(401)

    def _post_objection(self, headers: Headers) -> Response | None:
        if headers.get("origin") != f"{self._scheme}://{headers.get('host', '')}":
            return refusal(403)
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return refusal(415)
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return refusal(411)
        return refusal(413) if len(length) > 8 or int(length) > LONGEST_BODY else None


def refusal(status: int) -> Response:
    """An answer to what no page of ours asks."""
    return JSONResponse({"ok": False, "text": ""}, status)


def session_of(headers: Headers) -> str | None:
    """The session's token; None: there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    for name in cookie_names():
        if name in found:
            return found[name].value
    return None


def cookie_names() -> tuple[str, str]:
    """With TLS a browser itself holds the cookie to this host; without, a plain name must do."""
    return "__Host-fibrostage", "fibrostage"


def _host(header: str) -> str:
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""
