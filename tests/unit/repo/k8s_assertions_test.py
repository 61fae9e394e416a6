"""What the schemas cannot say about k8s/: run by scripts/check-k8s over the built manifests.

Each rule is a function that lists what is wrong. The second class breaks a manifest on purpose and
expects the rule to see it.
"""

import copy
import os
import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
KINDS_WITH_PODS = ("StatefulSet", "Deployment")
DURATION = re.compile(r"^(\d+)s$")
# To spare between the end of a drain and the kill.
LEAST_MARGIN_SECONDS = 5


def pod_sets(docs):
    return [d for d in docs if d["kind"] in KINDS_WITH_PODS]


def containers(workload):
    spec = workload["spec"]["template"]["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def of_kind(docs, kind):
    return [d for d in docs if d["kind"] == kind]


def setting(container, name):
    for arg in container.get("args", []):
        if arg.startswith(f"--{name}="):
            return arg.split("=", 1)[1]
    return None


def matches(selector, labels):
    return all(labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items())


def probes(docs):
    wrong = []
    for workload in pod_sets(docs):
        for c in containers(workload):
            health = int((setting(c, "health-listen") or "0:0").rsplit(":", 1)[1])
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                port = c.get(name, {}).get("grpc", {}).get("port")
                if port is None:
                    wrong.append(f"{c['name']}: no gRPC {name}")
                elif port != health:
                    wrong.append(f"{c['name']}: {name} asks {port}, health is served on {health}")
    return wrong


def admin_port(docs):
    """It has no passwords: no other pod may reach it, and no service offers it."""
    wrong = []
    for workload in pod_sets(docs):
        for c in containers(workload):
            host, _, port = (setting(c, "admin-listen") or ":").rpartition(":")
            if host not in ("127.0.0.1", "[::1]"):
                wrong.append(f"{c['name']}: the admin port is not on loopback, or not said")
            if port in (str(p["containerPort"]) for p in c["ports"]):
                wrong.append(f"{c['name']}: the admin port is a container port")
    return wrong


def restricted_pods(docs):
    wrong = []
    for ns in of_kind(docs, "Namespace"):
        if ns["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            wrong.append("namespace does not enforce restricted")
    for workload in pod_sets(docs):
        spec = workload["spec"]["template"]["spec"]
        security = spec.get("securityContext", {})
        if not security.get("runAsNonRoot") or security.get("runAsUser") != 10001:
            wrong.append("pod may run as root")
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            wrong.append("no seccomp profile")
        if spec.get("automountServiceAccountToken") is not False:
            wrong.append("a service account token is mounted")
        if any(spec.get(f) for f in ("hostNetwork", "hostPID", "hostIPC")):
            wrong.append("a host namespace is shared")
        allowed = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim"}
        for volume in spec.get("volumes", []):
            if set(volume) - {"name"} - allowed:
                wrong.append(f"volume {volume['name']} is of a kind that restricted forbids")
        for c in containers(workload):
            own = c.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False:
                wrong.append(f"{c['name']}: privilege escalation")
            if own.get("readOnlyRootFilesystem") is not True:
                wrong.append(f"{c['name']}: root file system is writable")
            if own.get("capabilities", {}).get("drop") != ["ALL"]:
                wrong.append(f"{c['name']}: capabilities are kept")
    return wrong


def images(docs):
    wrong = []
    for workload in pod_sets(docs):
        for c in containers(workload):
            tag = c["image"].rsplit("/", 1)[-1].partition(":")[2]
            if not tag or tag == "latest":
                wrong.append(f"{c['name']}: image {c['image']} has no fixed tag")
    return wrong


def resources(docs):
    wrong = []
    for workload in pod_sets(docs):
        for c in containers(workload):
            r = c.get("resources", {})
            memory = r.get("limits", {}).get("memory")
            if memory is None or memory != r.get("requests", {}).get("memory"):
                wrong.append(f"{c['name']}: memory request and limit differ")
            if memory not in ("1Gi", "2Gi", "4Gi", "8Gi"):
                wrong.append(f"{c['name']}: memory is below 1Gi or in an unknown form")
            if "cpu" in r.get("limits", {}):
                wrong.append(f"{c['name']}: a CPU limit")
    return wrong


def grace(docs):
    wrong = []
    for workload in pod_sets(docs):
        spec = workload["spec"]["template"]["spec"]
        for c in containers(workload):
            drain = DURATION.match(setting(c, "drain-time") or "")
            sleep = c.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
            if drain is None or sleep is None:
                wrong.append(f"{c['name']}: --drain-time in seconds and a preStop sleep are needed")
                continue
            needed = sleep + int(drain.group(1)) + LEAST_MARGIN_SECONDS
            if spec.get("terminationGracePeriodSeconds", 30) < needed:
                wrong.append(f"{c['name']}: the grace period is shorter than {needed} s")
    return wrong


def network(docs):
    wrong = []
    policies = of_kind(docs, "NetworkPolicy")
    if not any(
        p["spec"]["podSelector"] == {}
        and sorted(p["spec"]["policyTypes"]) == ["Egress", "Ingress"]
        and not p["spec"].get("ingress")
        and not p["spec"].get("egress")
        for p in policies
    ):
        wrong.append("nothing denies by default")
    for workload in pod_sets(docs):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        own = [p for p in policies if p["spec"]["podSelector"] and matches(p["spec"]["podSelector"], labels)]
        if not own:
            wrong.append(f"no policy selects {workload['metadata']['name']}")
        ports = {c["name"]: c["containerPort"] for x in containers(workload) for c in x["ports"]}
        opened = {q["port"] for p in own for rule in p["spec"].get("ingress", []) for q in rule.get("ports", [{"port": "all"}])}
        if opened != {ports["grpc"]}:
            wrong.append(f"ingress opens {sorted(map(str, opened))}")
        leaving = {q["port"] for p in own for rule in p["spec"].get("egress", []) for q in rule.get("ports", [{"port": "all"}])}
        if leaving != {53, 443}:
            wrong.append(f"egress opens {sorted(map(str, leaving))}")
        for policy in own:
            for rule in policy["spec"].get("ingress", []):
                if not rule.get("from"):
                    wrong.append("ingress from anywhere")
    return wrong


def services(docs):
    wrong = []
    headless = [s for s in of_kind(docs, "Service") if s["spec"].get("clusterIP") == "None"]
    if not headless or len(of_kind(docs, "Service")) == len(headless):
        wrong.append("a headless and a plain service are needed")
    for workload in pod_sets(docs):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        if not matches(workload["spec"]["selector"], labels):
            wrong.append("the set does not select its own pods")
        if workload["kind"] == "StatefulSet" and workload["spec"]["serviceName"] not in [
            s["metadata"]["name"] for s in headless
        ]:
            wrong.append("serviceName names no headless service")
        ports = {p["name"] for c in containers(workload) for p in c["ports"]}
        for service in of_kind(docs, "Service"):
            if not matches({"matchLabels": service["spec"]["selector"]}, labels):
                wrong.append(f"service {service['metadata']['name']} selects nothing")
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    wrong.append(f"service port {port['targetPort']} does not exist")
                if port["targetPort"] == "health":
                    wrong.append("the plaintext health port is offered as a service")
    return wrong


def storage(docs):
    """SQLite has one owner."""
    wrong = []
    for workload in of_kind(docs, "StatefulSet"):
        if workload["spec"]["replicas"] != 1:
            wrong.append("SQLite with several replicas")
        for claim in workload["spec"]["volumeClaimTemplates"]:
            if claim["spec"]["accessModes"] != ["ReadWriteOncePod"]:
                wrong.append("another pod may mount the data")
        for c in containers(workload):
            mounts = {m["mountPath"]: m for m in c["volumeMounts"]}
            data = setting(c, "data-dir") or ""
            if not any(data.startswith(path + "/") and not m.get("readOnly") for path, m in mounts.items()):
                wrong.append("the data folder lies on no writable volume")
    return wrong


def secrets(docs):
    """Every file that a setting names lies in a secret that is mounted read-only; none is in argv."""
    wrong = []
    if of_kind(docs, "Secret"):
        wrong.append("a secret is part of the manifests")
    for workload in pod_sets(docs):
        spec = workload["spec"]["template"]["spec"]
        secret_volumes = {v["name"] for v in spec["volumes"] if "secret" in v}
        for c in containers(workload):
            paths = [m["mountPath"] for m in c["volumeMounts"] if m["name"] in secret_volumes and m.get("readOnly")]
            for name in ("tls-cert-file", "tls-key-file", "client-ca-file", "gmi-api-key-file"):
                value = setting(c, name)
                if value is None or not any(value.startswith(p + "/") for p in paths):
                    wrong.append(f"--{name} is not in a mounted secret")
            for variable in c.get("env", []):
                if "KEY" in variable["name"]:
                    wrong.append("a key is in the environment")
    return wrong


def settings(docs):
    """Only names that the gateway knows; the table is compared with the program by config_test."""
    known = set(re.findall(r"^\| `--([a-z-]+)`", (ROOT / "server/app/README.md").read_text(), re.M))
    return [
        f"unknown setting {arg}"
        for workload in pod_sets(docs)
        for c in containers(workload)
        for arg in c["args"]
        if arg.partition("=")[0].removeprefix("--") not in known
    ]


RULES = [settings, probes, admin_port, restricted_pods, images, resources, grace, network, services, storage, secrets]


def load():
    folder = pathlib.Path(os.environ["LUMAEDIT_MANIFESTS"])
    return {f.name: list(yaml.safe_load_all(f.read_text())) for f in sorted(folder.glob("*.yaml"))}


class ManifestsTest(unittest.TestCase):
    def test_every_rule_holds_in_every_flavour(self):
        flavours = load()
        self.assertTrue(flavours)
        for name, docs in flavours.items():
            self.assertTrue(pod_sets(docs))
            for rule in RULES:
                with self.subTest(flavour=name, rule=rule.__name__):
                    self.assertEqual(rule(docs), [])

    def test_dockerfile_agrees(self):
        text = (ROOT / "k8s/Dockerfile").read_text()
        for tag in re.findall(r"^FROM (\S+)", text, re.M):
            self.assertRegex(tag, r"^debian:12-slim$")
        self.assertRegex(text, r"(?m)^USER 10001:10001$")
        self.assertNotRegex(text, r"apt(-get)? install", "packages come from scripts/packages.txt")


class RulesSeeWhatIsWrongTest(unittest.TestCase):
    def setUp(self):
        self.docs = copy.deepcopy(load()["k8s-base.yaml"])
        self.set = of_kind(self.docs, "StatefulSet")[0]
        self.pod = self.set["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]

    def test_unknown_setting(self):
        self.container["args"].append("--drain=20s")
        self.assertTrue(settings(self.docs))

    def test_probe_on_another_port(self):
        self.container["livenessProbe"]["grpc"]["port"] = 8443
        self.assertTrue(probes(self.docs))

    def test_missing_probe(self):
        del self.container["readinessProbe"]
        self.assertTrue(probes(self.docs))

    def test_admin_port_for_others(self):
        args = self.container["args"]
        self.container["args"] = [a.replace("admin-listen=127.0.0.1", "admin-listen=0.0.0.0") for a in args]
        self.assertTrue(admin_port(self.docs))
        self.container["args"] = args
        self.container["ports"].append({"name": "admin", "containerPort": 8444})
        self.assertTrue(admin_port(self.docs))

    def test_root(self):
        self.pod["securityContext"]["runAsNonRoot"] = False
        self.assertTrue(restricted_pods(self.docs))

    def test_writable_root(self):
        del self.container["securityContext"]["readOnlyRootFilesystem"]
        self.assertTrue(restricted_pods(self.docs))

    def test_token(self):
        del self.pod["automountServiceAccountToken"]
        self.assertTrue(restricted_pods(self.docs))

    def test_latest(self):
        for image in ("gateway:latest", "gateway", "host:5000/gateway"):
            self.container["image"] = image
            self.assertTrue(images(self.docs), image)

    def test_memory(self):
        self.container["resources"]["limits"]["memory"] = "2Gi"
        self.assertTrue(resources(self.docs))

    def test_cpu_limit(self):
        self.container["resources"]["limits"]["cpu"] = "1"
        self.assertTrue(resources(self.docs))

    def test_short_grace(self):
        self.pod["terminationGracePeriodSeconds"] = 29
        self.assertTrue(grace(self.docs))

    def test_policy_that_selects_nothing(self):
        of_kind(self.docs, "NetworkPolicy")[1]["spec"]["podSelector"]["matchLabels"] = {"a": "b"}
        self.assertTrue(network(self.docs))

    def test_open_health_port(self):
        rule = of_kind(self.docs, "NetworkPolicy")[1]["spec"]["ingress"][0]
        rule["ports"].append({"protocol": "TCP", "port": 8081})
        self.assertTrue(network(self.docs))

    def test_no_default_deny(self):
        self.docs.remove(of_kind(self.docs, "NetworkPolicy")[0])
        self.assertTrue(network(self.docs))

    def test_service_without_pods(self):
        of_kind(self.docs, "Service")[0]["spec"]["selector"] = {"a": "b"}
        self.assertTrue(services(self.docs))

    def test_two_replicas(self):
        self.set["spec"]["replicas"] = 2
        self.assertTrue(storage(self.docs))

    def test_shared_volume(self):
        self.set["spec"]["volumeClaimTemplates"][0]["spec"]["accessModes"] = ["ReadWriteMany"]
        self.assertTrue(storage(self.docs))

    def test_key_outside_a_secret(self):
        args = self.container["args"]
        self.container["args"] = [a.replace("/etc/luma-edit/upstream/", "/tmp/") for a in args]
        self.assertTrue(secrets(self.docs))


if __name__ == "__main__":
    unittest.main()
