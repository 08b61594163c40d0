"""Logs as JSON lines and counters for Prometheus; neither ever holds a personal value."""

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge


def configure_logging(level: str) -> None:
    """JSON lines on stderr; control characters are escaped by JSON itself."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


class Metrics:
    """Counters of the front."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter("hub_answers_total", "Answers by HTTP status", ["status"], registry=self.registry)
        self.refusals = Counter(
            "hub_refusals_total", "Refusals before a valid token, by code", ["code"], registry=self.registry
        )
        self._by_status: dict[int, Counter] = {}
        self.source_calls = Counter(
            "hub_source_answers_total", "Agencies' answers by state", ["agency", "state"], registry=self.registry
        )

        self.policy_changes = Counter(
            "hub_policy_changes_total", "Published policies by what became of them", ["result"], registry=self.registry
        )
        self.policy_version = Gauge("hub_policy_version", "Version of the policies in force", registry=self.registry)

    def observe(self, status: int) -> None:
        """Count one answer."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self.answers.labels(str(status))
        counter.inc()
