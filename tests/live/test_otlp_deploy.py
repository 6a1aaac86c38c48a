"""What deploy/ has for OpenTelemetry is well formed and refers to what there is."""
import json
import os
import unittest

from harness import HERE
from otlp import names_of_conventions

DEPLOY = os.path.join(HERE, "../../deploy")


class Collector(unittest.TestCase):
    def test_each_pipeline_is_of_components_that_are_configured(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not installed")
        with open(os.path.join(DEPLOY, "otel-collector.yaml")) as f:
            config = yaml.safe_load(f)
        pipelines = config["service"]["pipelines"]
        self.assertEqual(set(pipelines), {"logs", "traces", "metrics"})
        for kind in ("receivers", "processors", "exporters"):
            used = {name for pipeline in pipelines.values() for name in pipeline[kind]}
            self.assertEqual(used, set(config[kind]))
        for pipeline in pipelines.values():
            self.assertEqual(pipeline["processors"][0], "memory_limiter")
        http = config["receivers"]["otlp"]["protocols"]["http"]
        self.assertTrue(http["endpoint"].endswith(":4318}"))
        self.assertEqual(http["max_request_body_size"], 64 << 20)


class Dashboard(unittest.TestCase):
    def test_panels(self):
        with open(os.path.join(DEPLOY, "grafana/plumb.json")) as f:
            dashboard = json.load(f)
        panels = dashboard["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
        self.assertEqual(len(set(places)), len(places))
        variables = {v["name"] for v in dashboard["templating"]["list"]}
        self.assertEqual(variables, {"datasource", "host"})
        labels = {name.replace(".", "_") for name in names_of_conventions("attribute")}
        for panel in panels:
            for target in panel.get("targets", []):
                self.assertIn("$host", target["expr"])
                for word in target["legendFormat"].replace("}}", "{{").split("{{")[1::2]:
                    self.assertTrue(word in labels or word.startswith("plumb_"), word)


if __name__ == "__main__":
    unittest.main()
