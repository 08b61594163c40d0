"""Serves the bench's hub on one worker, as the harness starts it: `python -m benchmarks.peers.serve`."""

import uvicorn

from benchmarks.peers.parts import bench_rules, bench_settings
from hub.bootstrap.build import build_hub


def main() -> None:
    settings = bench_settings()
    hub = build_hub(settings, rules=bench_rules())
    uvicorn.run(
        hub.app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
