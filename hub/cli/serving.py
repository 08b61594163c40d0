"""What a worker process serves: the hub of the settings in its environment."""

from starlette.types import ASGIApp

from hub.bootstrap.build import build_hub
from hub.settings import load_settings


def create() -> ASGIApp:
    return build_hub(load_settings()).app
