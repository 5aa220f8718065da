"""Routes below mounts and in included routers, asked without a server."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from flamespan import profiler
from flamespan.aggregator import load
from flamespan.profiler.integrations import starlette

fastapi = pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")


def nested():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    app = fastapi.FastAPI()
    router = fastapi.APIRouter(prefix="/v1")

    @router.get("/users/{user}")
    async def user(user: int):
        return user

    async def below(request):
        return PlainTextResponse("below")

    inner = fastapi.FastAPI()
    inner.include_router(router, prefix="/deep")
    app.include_router(router, prefix="/api")
    app.mount("/inner", inner)
    leaves = [Route("/leaf/{id}", below), Route("/other", below)]
    app.mount("/sub/{tenant}", Starlette(routes=leaves))
    return starlette.instrument(app)


async def ask(app, paths):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return [(await client.get(path)).status_code for path in paths]


def test_a_route_is_told_from_the_outermost_root(tmp_path):
    paths = ["/api/v1/users/7", "/inner/deep/v1/users/7", "/sub/acme/leaf/1", "/sub/acme/other"]
    with profiler.Profiler(tmp_path, 100):
        codes = asyncio.run(ask(nested(), [*paths, "/sub/acme/none", "/none"]))
    assert codes == [200] * 4 + [404] * 2
    # In this process the Sentry SDK may have been set up by another test: it names its own by URLs.
    names = load(tmp_path).transactions(instances=True)["transaction"]
    ours = [name for name in names if name.startswith(("GET /", "GET <"))]
    assert Counter(ours) == {
        "GET /api/v1/users/{user}": 1,
        "GET /inner/deep/v1/users/{user}": 1,
        "GET /sub/{tenant}/leaf/{id}": 1,
        "GET /sub/{tenant}/other": 1,
        "GET <not found>": 2,
    }
