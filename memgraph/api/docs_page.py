"""The page at `/docs`: Swagger UI out of a package, so that it works without the internet."""

from __future__ import annotations

from importlib.resources import files

from apiflask import APIFlask
from flask import Response, send_from_directory

PAGE = "openapi.docs"
"""Endpoint of the page."""
ASSETS = "/docs/assets"
SHOWN = frozenset(
    {
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "favicon-32x32.png",
    }
)
KEPT_S = 86_400


def serve(app: APIFlask) -> None:
    """Serve the files of the page, and let the page name them."""
    folder = str(files("flask_swagger_ui") / "dist")
    app.config |= {
        "SWAGGER_UI_CSS": f"{ASSETS}/swagger-ui.css",
        "SWAGGER_UI_BUNDLE_JS": f"{ASSETS}/swagger-ui-bundle.js",
        "SWAGGER_UI_STANDALONE_PRESET_JS": f"{ASSETS}/swagger-ui-standalone-preset.js",
        "DOCS_FAVICON": f"{ASSETS}/favicon-32x32.png",
        # No request leaves the page for a validator elsewhere; an entered key stays for reloads.
        "SWAGGER_UI_CONFIG": {"validatorUrl": None, "persistAuthorization": True},
    }

    # People type the slash.
    app.add_url_rule(f"{app.docs_path}/", PAGE, app.view_functions[PAGE])

    @app.get(f"{ASSETS}/<any({', '.join(sorted(map(repr, SHOWN)))}):name>")
    @app.doc(hide=True)
    def read_docs_asset(name: str) -> Response:
        return send_from_directory(folder, name, max_age=KEPT_S)
