"""`python -m tests.chart`: write what is read from elsewhere.

That is the kinds into the chart's schema, its README, the alerts for Grafana, and the goldens.
"""

from tests.chart.definitions import README, SCHEMA, readme_text, schema_text
from tests.chart.golden import golden_path, golden_text
from tests.chart.grafana import ALERTS, alerts_text
from tests.chart.render import CI

if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
    README.write_text(readme_text())
    ALERTS.parent.mkdir(exist_ok=True)
    ALERTS.write_text(alerts_text())
    for values in CI:
        golden_path(values).write_text(golden_text(values))
