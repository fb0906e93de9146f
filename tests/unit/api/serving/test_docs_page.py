"""The page shows what the document says, and nothing of it becomes markup."""

from __future__ import annotations

from typing import Any

import pytest

from api.serving.docs_page import render

DOCUMENT: dict[str, Any] = {
    "info": {"title": "A <title>", "summary": "Short.", "description": "One.\n\n**Two** `2^53`"},
    "tags": [{"name": "things", "description": "All of them."}],
    "components": {
        "schemas": {
            "Thing": {
                "description": "What it is.",
                "properties": {
                    "size": {"type": "integer", "minimum": 0.0, "maximum": 10.0},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "examples": ["x"]},
                },
            }
        }
    },
    "paths": {
        "/things/{id}": {
            "get": {
                "tags": ["things"],
                "summary": "One thing",
                "description": "| a | b |\n|---|---|\n| `1` | <b> |",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        }
                    },
                    "404": {"content": {"application/problem+json": {}}},
                },
            }
        }
    },
}


@pytest.mark.parametrize(
    "part",
    [
        "<h1>A &lt;title&gt;</h1>",
        "<p><b>Two</b> <code>2^53</code></p>",
        "<h2>Things</h2><p>All of them.</p>",
        '<span class="method">GET</span><code class="path">/things/{id}</code><h3>One thing</h3>',
        "<td><code>1</code></td><td>&lt;b&gt;</td>",
        "<td>path, required</td>",
        "<td><code>size</code></td><td>integer 0 to 10</td>",
        "<td>list of Thing</td>",
        "<td>string or null</td><td> E.g. <code>x</code></td>",
        "<p><code>404</code> application/problem+json</p>",
    ],
)
def test_render__document__has_it(part: str) -> None:
    assert part in render(DOCUMENT)


def test_render__schema_that_contains_itself__ends() -> None:
    assert render(DOCUMENT).count("<summary>Thing</summary>") == 2
