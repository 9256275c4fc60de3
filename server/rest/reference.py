"""The reference of the API as a page and as JSON, at /schema: nothing is loaded from anywhere else.

The page is plain HTML made from the document of `server.rest.schema`, without scripts; the JSON is for tools. Plugins
of Litestar's OpenAPI router, listed in `server.rest.api`.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import MediaType, OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.router import Router

from server.rest.schema import described

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h2{margin-top:2.5rem;text-transform:capitalize}summary{cursor:pointer;padding:.3rem 0}"
    "code{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f5f7;padding:.8rem;overflow:auto}"
    "b{display:inline-block;min-width:4.5rem}dt{font-weight:600}dd{margin:0 0 .4rem 1.2rem}"
    "@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}pre{background:#22262b}a{color:#8ab4ff}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


class SchemaFile(OpenAPIRenderPlugin):
    """/schema/openapi.json. examples: makes the bodies to show."""

    def __init__(self, examples: Callable[[], Sequence[msgspec.Struct]]) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)
        self._examples = examples
        self._rendered = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        if not self._rendered:
            self._rendered = msgspec.json.encode(described(request.app, self._examples()))
        return self._rendered


class SchemaPage(OpenAPIRenderPlugin):
    """/schema as a page."""

    def __init__(self, examples: Callable[[], Sequence[msgspec.Struct]]) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)
        self._examples = examples
        self._rendered = b""

    def receive_router(self, router: Router) -> None:
        """Allow the page its own style and nothing else."""
        router.response_headers = {**dict(router.response_headers or {}), "Content-Security-Policy": PAGE_POLICY}  # type: ignore[dict-item]

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        if not self._rendered:
            self._rendered = page(described(request.app, self._examples())).encode()
        return self._rendered


def page(document: dict[str, Any]) -> str:
    """HTML of a document, operations grouped by tag."""
    info = document["info"]
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            if isinstance(operation, dict) and "responses" in operation:
                tag = operation.get("tags", ["other"])[0]
                by_tag[tag].append(_operation(method.upper(), path, operation, document))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(by_tag.items()))
    title = f"{escape(info['title'])} API {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{escape(info.get('description', ''))}</p>"
        '<p>For tools: <a href="/schema/openapi.json">openapi.json</a>. Authenticate with '
        "<code>Authorization: Bearer pk_...</code></p>"
        f"{sections}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    parameters = "".join(
        f"<dt><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])})</dt>"
        f"<dd>{escape(parameter.get('description', ''))}</dd>"
        for parameter in operation.get("parameters", [])
        if "name" in parameter
    )
    if parameters:
        parts.append(f"<dl>{parameters}</dl>")
    if "requestBody" in operation:
        parts.append(f"<p>Body</p>{_content(operation['requestBody'].get('content', {}), document)}")
    for status, answer in sorted(operation["responses"].items()):
        if status.startswith("2"):
            parts.append(f"<p>Answer {escape(status)}: {escape(answer.get('description', ''))}</p>")
            parts.append(_content(answer.get("content", {}), document))
    summary = f"<b>{method}</b><code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
    return f"<details><summary>{summary}</summary>{''.join(parts)}</details>"


def _content(content: dict[str, Any], document: dict[str, Any]) -> str:
    shown: list[str] = []
    for media_type, body in content.items():
        schema = _resolved(body.get("schema", {}), document)
        example = next(iter(schema.get("examples", [])), None)
        text = schema if example is None else example
        pretty = msgspec.json.format(msgspec.json.encode(text), indent=2).decode()
        shown.append(f"<p><code>{escape(media_type)}</code></p><pre>{escape(pretty)}</pre>")
    return "".join(shown)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    name = reference.rpartition("/")[2]
    return document.get("components", {}).get("schemas", {}).get(name, schema) if name else schema
