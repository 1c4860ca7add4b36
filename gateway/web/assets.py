"""The static files of the dashboard, in memory, each under an address that changes with its content."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.responses import Response

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "woff2": "font/woff2",
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    body: bytes
    media_type: str
    digest: str


class Assets:
    """All static files; read once, so that no path of a request ever reaches the disk."""

    def __init__(self) -> None:
        self._assets = {
            path.name: Asset(
                body := path.read_bytes(),
                TYPES[path.name.rpartition(".")[2]],
                hashlib.sha256(body).hexdigest()[:12],
            )
            for path in (files("gateway.web") / "static").iterdir()
            if path.name.rpartition(".")[2] in TYPES
        }

    def url(self, root: str, name: str) -> str:
        """Where a page finds a file; browsers may keep what they got from there for ever."""
        return f"{root}/static/{name}?v={self._assets[name].digest}"

    def answer(self, name: str) -> Response | None:
        """The file, or None where there is none of that name."""
        asset = self._assets.get(name)
        return None if asset is None else Response(asset.body, media_type=asset.media_type, headers=FOREVER)
