"""The web application: which address shows what."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from tuneloop.errors import MissingPackage
from tuneloop.looking import door
from tuneloop.looking.pages import Pages
from tuneloop.looking.shelf import Shelf
from tuneloop.looking.texts import chosen
from tuneloop.monitoring import page

_MOST = 8
"""Runs beside each other: as many as there are colours that everyone can tell apart."""
Runs = Annotated[list[str], Query(alias="run", default_factory=list)]


def build_app(shelf: Shelf) -> FastAPI:
    """Make the web application.

    Args:
        shelf: The runs that it shows.

    Returns:
        An ASGI application without a server.

    Raises:
        MissingPackage: The chart library is not installed.
    """
    app = FastAPI(title="tuneloop", openapi_url=None)
    door.guard(app)
    library = chart_library()
    site = _Site(Pages(shelf))
    app.add_api_route("/", site.runs, methods=["GET"])
    app.add_api_route("/run/{id}", site.run, methods=["GET"])
    app.add_api_route("/run/{id}/figures", site.figures, methods=["GET"], response_model=None)
    app.add_api_route("/compare", site.compare, methods=["GET"])
    app.add_api_route("/compare/figures", site.compared, methods=["GET"], response_model=None)
    app.add_api_route("/artifact/{id}", site.artifact, methods=["GET"])
    app.add_api_route("/artifact/{id}/page", site.document, methods=["GET"], response_model=None)
    app.add_api_route("/artifact/{id}/picture/{name}", site.picture, methods=["GET"], response_model=None)
    app.add_api_route("/files/plotly.js", lambda: FileResponse(library, headers=_KEPT), methods=["GET"])
    shared = Path(page.__file__).with_name("page.css")
    app.add_api_route("/files/page.css", lambda: FileResponse(shared), methods=["GET"])
    app.mount("/files", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(404, site.missing)
    return app


_KEPT = {"Cache-Control": "max-age=86400"}


def chart_library() -> Path:
    """The file of the chart library, as its package brings it.

    Raises:
        MissingPackage: It is not installed.
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise MissingPackage(
            "the pages draw their curves with plotly, which is not installed",
            where="tuneloop ui",
            fix="pip install 'tuneloop[ui]'; tuneloop watch shows curves without it",
        )
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


class _Site:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def runs(self, request: Request) -> Response:
        return HTMLResponse(self._pages.runs(*_language(request)))

    def run(self, request: Request, id: str) -> Response:
        return self._page(request, self._pages.run(id, *_language(request)))

    def figures(self, request: Request, id: str) -> Response:
        language, _ = _language(request)
        version = self._pages.version(id)
        if version is None:
            return JSONResponse({"state": "", "pieces": {}, "charts": []}, 404)
        tag = f'"{version}-{language}"'.encode("ascii", "replace").decode()
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return JSONResponse(self._pages.figures(id, language), headers={"ETag": tag, "Cache-Control": "no-cache"})

    def compare(self, request: Request, ids: Runs) -> Response:
        return HTMLResponse(self._pages.compare(ids[:_MOST], *_language(request)))

    def compared(self, request: Request, ids: Runs) -> dict[str, Any]:
        return self._pages.compared(ids[:_MOST], _language(request)[0])

    def artifact(self, request: Request, id: str) -> Response:
        return self._page(request, self._pages.artifact(id, *_language(request)))

    def document(self, request: Request, id: str) -> Response:
        path = self._pages.document(id)
        if path is None:
            return self._page(request, None)
        headers = {"Content-Security-Policy": door.DOCUMENT}
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)

    def picture(self, request: Request, id: str, name: str) -> Response:
        path = self._pages.picture(id, name)
        return FileResponse(path) if path is not None and path.is_file() else self._page(request, None)

    async def missing(self, request: Request, _: Exception) -> Response:
        return self._page(request, None)

    def _page(self, request: Request, text: str | None) -> Response:
        if text is None:
            return HTMLResponse(self._pages.missing(*_language(request)), 404)
        return HTMLResponse(text)


def _language(request: Request) -> tuple[str, bool]:
    """The language of a page, and whether the address asks for it."""
    asked = request.query_params.get("lang")
    language = chosen(asked, request.headers.get("accept-language", ""))
    return language, asked == language
