"""The simulated tax service, live only, slow and throttled: `python -m hub.demo.agencies.tax --dir DIR`."""

from hub.demo.agencies.http_system import run_http_system
from hub.demo.agencies.tax_rows import document

if __name__ == "__main__":
    run_http_system("tax", path="/nsr/plcx", document=document, latency_s=(0.04, 0.12), calls_per_second=400)
