"""The documentation in the browser: one page made from the OpenAPI document, without a script and
without anything from other hosts, so that it also reads on a machine without the Internet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

_METHODS: Final = ("get", "put", "post", "delete")

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --mark: #2563eb; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem; }
h1 { margin-bottom: 0; } h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; }
h3 { margin: 0; font-size: 1rem; font-weight: 500; }
code, pre { font: 0.875em/1.45 ui-monospace, monospace; }
code { background: var(--soft); border-radius: 4px; padding: 0.1em 0.3em; }
pre { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: 0.75rem; }
pre code { background: none; padding: 0; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 0.75rem 0; }
details > summary { cursor: pointer; padding: 0.6rem 0.9rem; }
details > summary h3 { display: inline; }
details > div { border-top: 1px solid var(--line); padding: 0 0.9rem 0.9rem; }
details details { margin: 0.5rem 0; }
.method { background: var(--mark); border-radius: 4px; color: #fff; display: inline-block;
  font: 600 0.75rem/1.7 ui-monospace, monospace; margin-right: 0.5rem; text-align: center;
  width: 3.4rem; }
.path { font-weight: 600; margin-right: 0.75rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.925rem; margin: 0.5rem 0; }
td, th { border-bottom: 1px solid var(--line); padding: 0.3rem 0.9rem 0.3rem 0; text-align: left;
  vertical-align: top; }
h4 { margin: 1.2rem 0 0.3rem; }
"""


def render(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI 3.1 document."""
    info = document["info"]
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    sections = "".join(
        _section(tag, document["paths"], schemas) for tag in document.get("tags", [])
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('summary', ''))} "
        'For programs: <a href="openapi.json">OpenAPI 3.1</a>.</p>'
        f"{_text(info.get('description', ''))}{sections}</body></html>"
    )


def _section(tag: Mapping[str, Any], paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    operations = "".join(
        _operation(method, path, entry[method], schemas)
        for path, entry in paths.items()
        for method in _METHODS
        if method in entry and tag["name"] in entry[method].get("tags", [])
    )
    title = escape(tag["name"].capitalize())
    return f"<h2>{title}</h2>{_text(tag.get('description', ''))}{operations}"


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    parts = [_text(operation.get("description", ""))]
    if operation.get("parameters"):
        parts += ["<h4>Parameters</h4>", _parameters(operation["parameters"])]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        parts.append("<h4>Request</h4>")
        if "example" in content:
            parts.append(_code(json.dumps(content["example"], indent=2)))
        parts.append(_schema(content.get("schema", {}), schemas))
    parts.append("<h4>Answers</h4>")
    for status, response in operation["responses"].items():
        media = ", ".join(response.get("content", {})) or "no body"
        parts.append(f"<p><code>{status}</code> {escape(media)}</p>")
        if status == "200":
            for content in response.get("content", {}).values():
                parts.append(_schema(content.get("schema", {}), schemas))
    return (
        f'<details><summary><span class="method">{method.upper()}</span>'
        f'<code class="path">{escape(path)}</code><h3>{escape(operation.get("summary", ""))}</h3>'
        f"</summary><div>{''.join(parts)}</div></details>"
    )


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    return _table(
        ("name", "in", "type", ""),
        (
            (
                f"<code>{escape(one['name'])}</code>",
                escape(one["in"]) + (", required" if one.get("required") else ""),
                escape(_type(one["schema"])),
                _inline(one.get("description", "")),
            )
            for one in parameters
        ),
    )


def _schema(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> str:
    """The members of an object, those of objects within it folded below."""
    name = _name(schema)
    resolved = schemas.get(name, schema) if name else schema
    members: Mapping[str, Any] = resolved.get("properties", {})
    if not members:
        return ""
    rows = (
        (f"<code>{escape(key)}</code>", escape(_type(member)), _inline(_described(member)))
        for key, member in members.items()
    )
    inner = ""
    if depth < 2:
        nested = dict.fromkeys(filter(None, map(_name, members.values())))
        inner = "".join(
            f"<details><summary>{escape(one)}</summary><div>"
            f"{_schema({'$ref': f'/{one}'}, schemas, depth + 1)}</div></details>"
            for one in nested
            if schemas.get(one, {}).get("properties")
        )
    about = _text(resolved.get("description", "")) if name else ""
    return about + _table(("member", "type", ""), rows) + inner


def _name(schema: Mapping[str, Any]) -> str | None:
    """The name of the object that a schema refers to, itself, in a list or as one of several."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = [schema["items"]] if "items" in schema else schema.get("anyOf", [])
    return next(filter(None, map(_name, inner)), None)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", "any"))
    low, high = schema.get("minimum"), schema.get("maximum")
    return kind if low is None or high is None else f"{kind} {int(low)} to {int(high)}"


def _described(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples", [])
    example = f" E.g. `{examples[0]}`" if examples and not isinstance(examples[0], dict) else ""
    return str(schema.get("description", "")) + example


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    top = "".join(f"<th>{cell}</th>" for cell in head)
    return (
        f'<div class="table"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _code(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def _text(markdown: str) -> str:
    """Paragraphs and tables, the parts of Markdown that descriptions here use."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", markdown.strip()))
    return "".join(_block(block) for block in blocks if block)


def _block(block: str) -> str:
    if not block.startswith("|"):
        return f"<p>{_inline(block)}</p>"
    rows = [
        [_inline(cell.strip()) for cell in line.strip().strip("|").split("|")]
        for line in block.splitlines()
    ]
    return _table(rows[0], rows[2:])


def _inline(text: str) -> str:
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", marked))
