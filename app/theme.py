"""The theme that the dashboard opens with: dark, or what was chosen in the menu.

Streamlit follows the system where nothing is chosen, and keeps a choice for the address that it
was made at alone. A script in the page sets the choice before Streamlit looks for it.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SCRIPT = b"""<script>
(() => {
  const kept = "sky_ssl theme";
  const key = `stActiveTheme-${location.pathname}-v2`;
  try {
    localStorage.setItem(key, localStorage.getItem(kept) || '"Dark"');
    addEventListener("pagehide", () => localStorage.setItem(kept, localStorage.getItem(key)));
  } catch {} // a browser that keeps nothing follows the system
})();
</script>"""
_HEAD = b"<head>"


class DarkAtFirst:
    """Put the script into the page (ASGI middleware); all else passes through as it is."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        asked = dict(scope.get("headers", []))
        if scope["type"] != "http" or b"text/html" not in asked.get(b"accept", b""):
            await self.app(scope, receive, send)
            return
        # compressed the page could not be added to
        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        page = _Page(send)
        await self.app({**scope, "headers": headers}, receive, page.send)


class _Page:
    """Holds an answer back until it is whole, and adds the script if it is a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: MutableMapping[str, Any] | None = None
        self._body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            if kind.startswith(b"text/html"):
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = self._body.replace(_HEAD, _HEAD + SCRIPT, 1)
        headers = [
            (name, str(len(body)).encode() if name == b"content-length" else value)
            for name, value in self._start["headers"]
        ]
        await self._send({**self._start, "headers": headers})
        await self._send({**message, "body": body})
