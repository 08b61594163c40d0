"""The simulated social security service: `python -m hub.demo.agencies.social_security --dir DIR`."""

from hub.demo.agencies.http_system import run_http_system
from hub.demo.agencies.social_security_rows import document

if __name__ == "__main__":
    run_http_system("social-security", path="/v1/persons/batch", document=document)
