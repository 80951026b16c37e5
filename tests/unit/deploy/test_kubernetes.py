import pytest
import yaml

from echotrain.engine.settings import host_port


@pytest.fixture
def objects(deploy):
    return {o["kind"]: o for o in yaml.safe_load_all((deploy / "kubernetes.yaml").read_text())}


@pytest.fixture
def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    assert len(pod["containers"]) == 1
    return pod["containers"][0]


@pytest.fixture
def settings(objects, load):
    return load(objects["ConfigMap"]["data"]["echotrain.toml"])


def test_there_is_all_that_an_engine_in_a_cluster_needs(objects):
    assert set(objects) == {"ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "NetworkPolicy"}


def test_it_serves_by_a_command_that_serve_understands_with_the_settings_that_are_mounted(
    container, parse_serve, objects
):
    command, *arguments = container["args"]
    assert command == "serve"
    config = parse_serve(arguments)["config"]
    mount = next(m for m in container["volumeMounts"] if m["name"] == "settings")
    assert str(config.parent) == mount["mountPath"]
    assert config.name in objects["ConfigMap"]["data"]


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_every_probe_asks_a_path_that_the_engine_answers_at_the_port_of_the_settings(
    container, settings, has_path, probe
):
    asked = container[probe]["httpGet"]
    assert has_path(asked["path"])
    port = next(p["containerPort"] for p in container["ports"] if p["name"] == asked["port"])
    assert port == host_port(settings.http)[1]
    assert host_port(settings.http)[0] == "0.0.0.0"


def test_readiness_and_life_are_asked_of_different_paths(container):
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_ports_of_container_service_and_policy_are_the_codes_own(container, objects, default_ports, settings):
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert set(ports.values()) == {*default_ports, host_port(settings.http)[1]}
    assert ports["mrd"] == host_port(settings.mrd)[1]
    service = {p["targetPort"]: p["port"] for p in objects["Service"]["spec"]["ports"]}
    assert service == ports
    policy = objects["NetworkPolicy"]["spec"]["ingress"][0]["ports"]
    assert {p["port"] for p in policy} == set(ports)


def test_a_pod_is_given_longer_to_stop_than_the_engine_drains(pod, settings, grace):
    assert pod["terminationGracePeriodSeconds"] >= max(grace, settings.drain_seconds + 10)


def test_recordings_go_to_the_claim(container, pod, settings, state, objects):
    assert settings.record.is_relative_to(state)
    mount = next(m for m in container["volumeMounts"] if m["mountPath"] == "/var/lib/echotrain")
    volume = next(v for v in pod["volumes"] if v["name"] == mount["name"])
    assert volume["persistentVolumeClaim"]["claimName"] == objects["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_engine_runs_into_its_own_memory_limit_before_the_containers(container, settings):
    limit = container["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    assert settings.memory_mib < int(limit[:-2]) * 1024


def test_the_pod_runs_as_the_images_user_without_privileges(pod, container, deploy):
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{pod['securityContext']['runAsGroup']}\n" in (deploy / "Containerfile").read_text()
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_variables_of_the_service_reach_an_engine_whose_settings_have_the_same_prefix(pod, objects):
    assert objects["Service"]["metadata"]["name"] == "echotrain"
    assert pod["enableServiceLinks"] is False


def test_selectors_name_the_pods_own_label(objects):
    label = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == label
    assert objects["Service"]["spec"]["selector"] == label
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == label
