# Renders a chart by Helm's own engine, offline: argv is the chart and the values as JSON. Prints what
# lint found and every manifest as JSON.
import json, sys
import helm_python as helm

path, values = sys.argv[1], json.loads(sys.argv[2])
with helm.Chart.load(path) as chart:
    manifests = chart.render(values, name="demo", namespace="agents")
print(json.dumps({"errors": helm.lint(path)["errors"], "manifests": list(manifests.values())}))
