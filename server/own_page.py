"""A page of Parley's own: one HTML file with its scripts and styles inside, sent with a policy that allows only those.

The policy is made from the file, so a script that somebody manages to inject does not run. Used by every page of the
server.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files

SELF = "'self'"

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class OwnPage:
    """One file of `server/pages`. html: with `{{name}}` still to be filled in by `filled`. headers: to send it with.

    connect: what its scripts may ask besides this server. script: what may run besides its own. form: where its forms
    may lead. frame: which pages may hold it in a frame. All in the words of a content security policy.
    """

    def __init__(
        self, file_name: str, *, connect: str = "", script: str = "", form: str = "'none'", frame: str = "'none'"
    ) -> None:
        self.html = files("server").joinpath("pages", file_name).read_text(encoding="utf-8")
        hashes: dict[str, list[str]] = {"script": [], "style": []}
        for kind, content in _INLINE.findall(self.html):
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            hashes[kind].append(f"'sha256-{digest}'")
        scripts = " ".join([*hashes["script"], script]).strip() or "'none'"
        styles = " ".join(hashes["style"]) or "'none'"
        policy = (
            f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src {f'{SELF} {connect}'.strip()}; "
            f"img-src data:; base-uri 'none'; form-action {form}; frame-ancestors {frame}"
        )
        self.headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    def filled(self, values: Mapping[str, str]) -> str:
        """The page with these values in its text and attributes; they may not stand inside a script or style."""
        page = self.html
        for name, value in values.items():
            page = page.replace("{{" + name + "}}", escape(value))
        return page


@cache
def own_page(file_name: str, *, form: str = "'none'") -> OwnPage:
    """A page without other wishes, read once."""
    return OwnPage(file_name, form=form)
