"""A page of Parley's own: one HTML file with its scripts and styles inside, sent with a policy that allows only those.

The policy is made from the file, so a script that somebody manages to inject does not run. Used by pages that talk to
REST.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class OwnPage:
    """One file of `server/pages`. html: as it is sent, with `{{name}}` filled in by `filled`."""

    def __init__(self, file_name: str) -> None:
        self.html = files("server").joinpath("pages", file_name).read_text(encoding="utf-8")
        hashes: dict[str, list[str]] = {"script": [], "style": []}
        for kind, content in _INLINE.findall(self.html):
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            hashes[kind].append(f"'sha256-{digest}'")
        policy = (
            f"default-src 'none'; script-src {' '.join(hashes['script'])}; style-src {' '.join(hashes['style'])}; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self.headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}

    def filled(self, values: Mapping[str, str]) -> str:
        """The page with these values in its attributes; they may not stand inside a script or style."""
        page = self.html
        for name, value in values.items():
            page = page.replace("{{" + name + "}}", escape(value))
        return page
