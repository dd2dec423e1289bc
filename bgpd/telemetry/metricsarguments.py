"""The `--metrics-…` options as a process itself reads them, after `bgpd` has checked them."""

import argparse

from bgpd.telemetry.metricsoptions import NOWHERE, MetricsOptions, parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let *parser* know them; without any, nothing is served."""
    parser.add_argument("--metrics-address", default=NOWHERE)
    for name in ("tls-cert", "tls-key", "token-file"):
        parser.add_argument(f"--metrics-{name}", default="")


def metrics_options(parsed: argparse.Namespace) -> MetricsOptions:
    """Return what *parsed* says, or raise `ConfigError`."""
    return parse(
        address=parsed.metrics_address,
        tls_cert=parsed.metrics_tls_cert,
        tls_key=parsed.metrics_tls_key,
        token_file=parsed.metrics_token_file,
    )
