"""Sends traces to an OpenTelemetry collector over OTLP; needs the extra `otel`."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from orchestra_app.config import redact
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace
from orchestra_app.dataset.spans import Span, spans

_ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_log = logging.getLogger(__name__)


def configured() -> bool:
    """Return whether the environment names a collector, by OpenTelemetry's own variables."""
    return any(os.environ.get(name, "").strip() for name in _ADDRESSES)


class Telemetry:
    """A connection to one collector."""

    def __init__(self, endpoint: str | None = None, *, timeout: float = 10.0):
        """Prepare to send to `endpoint`, or where the environment's OTEL_ variables say; `timeout` in s.

        Raises ConfigError without the extra or with an address that cannot be one.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise ConfigError(
                "OpenTelemetry is not installed: pip install 'orchestra-app[otel]', "
                "or unset OTEL_EXPORTER_OTLP_ENDPOINT."
            ) from None
        if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
            raise ConfigError("The collector's address must begin with http:// or https://.")
        self._address = _address(endpoint)
        self._exporter: Any = OTLPSpanExporter(endpoint=endpoint, timeout=timeout)
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, traces: Sequence[Trace]) -> None:
        """Send finished traces; raises ConfigError where the collector does not take them."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        found = [span for trace in traces for span in _readable(trace)]
        if await asyncio.to_thread(self._exporter.export, found) is not SpanExportResult.SUCCESS:
            raise ConfigError(
                f"The collector at {self._address} took no spans: check the address and that it is running."
            )

    def begin(self, trace: Trace) -> None:
        """Send a finished trace while the program goes on; a failure is logged."""
        task = asyncio.create_task(self._quietly(trace))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def aclose(self) -> None:
        """Wait for what is being sent, and end."""
        await asyncio.gather(*self._sending)
        await asyncio.to_thread(self._exporter.shutdown)

    async def _quietly(self, trace: Trace) -> None:
        try:
            await self.send([trace])
        except ConfigError as error:
            _log.warning("Trace %s was not sent. %s", trace.id, error)


def _address(endpoint: str | None) -> str:
    """Return where spans are sent, without a password, and the variable that says so."""
    named = next((name for name in _ADDRESSES if os.environ.get(name, "").strip()), "")
    parts = urlsplit(endpoint or os.environ.get(named, ""))
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    return shown if endpoint else f"{shown} ({named})"


def _readable(trace: Trace) -> list[Any]:
    """Return the spans as OpenTelemetry's own; equal traces have equal ids, so sending twice adds nothing."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.status import Status, StatusCode

    whole = int.from_bytes(hashlib.blake2b(trace.id.encode(), digest_size=16).digest())

    def context(path: tuple[str, ...]) -> SpanContext:
        digest = hashlib.blake2b("\n".join((trace.id, *path)).encode(), digest_size=8).digest()
        return SpanContext(whole, int.from_bytes(digest), is_remote=False, trace_flags=TraceFlags(1))

    def moment(seconds: float) -> int:
        return round(trace.started_at.timestamp() * 1e9) + round(seconds * 1e9)

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "orchestra")})
    return [
        ReadableSpan(
            span.name,
            context=context(span.path),
            parent=context(span.path[:-1]) if len(span.path) > 1 else None,
            resource=resource,
            attributes=_without_secrets(span),
            kind=SpanKind.CLIENT
            if span.attributes["openinference.span.kind"] == "LLM"
            else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, redact(span.error)) if span.error else Status(StatusCode.OK),
            start_time=moment(span.start),
            end_time=moment(span.end),
            instrumentation_scope=InstrumentationScope("orchestra"),
        )
        for span in spans(trace)
    ]


def _without_secrets(span: Span) -> dict[str, Any]:
    return {
        name: redact(value) if isinstance(value, str) else value for name, value in span.attributes.items()
    }
