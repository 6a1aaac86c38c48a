"""plumb in containers: what deploy/ says is enough, and what a container lacks is said."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid

from harness import HERE, PLUMB, Cgroup, LiveTest, Plumb, needs, run_plumb
from otlp import Collector, plain_pairs
from roots import PROJECT, Root, empty_directory

CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
server.accept()[0].recv(1)
"""
POD_UID = "4b1d2c3a-0000-4000-8000-00000000abcd"


def documents(path):
    try:
        import yaml  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise unittest.SkipTest("not installed: python3-yaml") from None
    with open(os.path.join(PROJECT, path)) as file:
        return list(yaml.safe_load_all(file))


def daemonset():
    return next(d for d in documents("deploy/daemonset.yaml") if d["kind"] == "DaemonSet")


class ContainerTest(LiveTest):
    def scratch(self, mounts=("proc", "sys")):
        """A root with plumb in it and nothing else, as the image has."""
        root = Root(self.enterContext(empty_directory()), mounts)
        self.addCleanup(root.close)
        root.add_program(PLUMB, "/plumb")
        return root

    def confined(self, root, capabilities):
        return [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "confine.py"), root.path,
                ",".join(capabilities)]

    def connect(self, prefix=()):
        """A connection in the test's namespace, by a user that is not root; returns the port."""
        somebody = [*self.ns.prefix(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        server = subprocess.Popen([*somebody, "/usr/bin/python3", "-c", LISTEN], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.wait)
        port = int(server.stdout.readline())
        server.stdout.close()
        subprocess.run([*prefix, *somebody, "/usr/bin/python3", "-c", CONNECT, str(port)], check=True)
        return port


    def pod(self):
        """A node with one pod: the cgroup of its container, and a folder with the node's log files."""
        cgroup = Cgroup()
        self.addCleanup(cgroup.close)
        self.hierarchy = os.path.dirname(cgroup.path)
        slice_ = cgroup.child(f"kubepods-besteffort-pod{POD_UID.replace('-', '_')}.slice")
        self.addCleanup(slice_.close)
        self.identifier = uuid.uuid4().hex * 2
        scope = slice_.child(f"cri-containerd-{self.identifier}.scope")
        self.addCleanup(scope.close)
        node = self.enterContext(empty_directory())
        os.makedirs(f"{node}/var/log/containers")
        os.makedirs(f"{node}/var/log/pods/shop_web-1_{POD_UID}")
        os.symlink("/nowhere", f"{node}/var/log/containers/web-1_shop_nginx-{self.identifier}.log")
        return scope, node


class DaemonSet(ContainerTest):
    def test_it_selects_its_own_pods(self):
        spec = daemonset()["spec"]
        labels = spec["template"]["metadata"]["labels"]
        for key, value in spec["selector"]["matchLabels"].items():
            self.assertEqual(labels.get(key), value)
        pod = spec["template"]["spec"]
        self.assertEqual({m["name"] for c in pod["containers"] for m in c["volumeMounts"]},
                         {v["name"] for v in pod["volumes"]})
        self.assertEqual(daemonset()["metadata"]["namespace"], documents("deploy/daemonset.yaml")[0]["metadata"]["name"])

    def test_its_privileges_are_enough_and_none_is_too_many(self):
        pod = daemonset()["spec"]["template"]["spec"]
        container = pod["containers"][0]
        security = container["securityContext"]
        capabilities = security["capabilities"]["add"]
        self.assertEqual(security["capabilities"]["drop"], ["ALL"])
        self.assertTrue(pod["hostPID"])

        scope, node = self.pod()
        on_node = {"/sys/fs/cgroup": self.hierarchy}
        root = self.scratch()
        paths = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"]}
        for mount in container["volumeMounts"]:
            source = on_node.get(paths[mount["name"]], node + paths[mount["name"]])
            os.makedirs(root.inside(mount["mountPath"]), exist_ok=True)
            root.mount("--bind", source, root.inside(mount["mountPath"]))

        self.assertIn("--json", container["args"])
        arguments = [a for a in container["args"] if a != "--json"]  # which Plumb gives anyhow
        collector = Collector()
        self.addCleanup(collector.close)
        variables = {v["name"]: v.get("value", "node-1") for v in container["env"]}
        self.assertIn("OTEL_EXPORTER_OTLP_ENDPOINT", variables)
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        variables["OTEL_RESOURCE_ATTRIBUTES"] = variables["OTEL_RESOURCE_ATTRIBUTES"].replace("$(NODE_NAME)", "node-1")
        with Plumb(*arguments, executable="/plumb", prefix=self.confined(root, capabilities), env=variables) as plumb:
            port = self.connect(prefix=scope.prefix())
            plumb.wait_for(lambda lines: self.mine(lines, remote_port=port), "the connection")
        line = self.one(plumb.lines, remote_port=port)
        self.assertEqual((line["outcome"], line["comm"], line["uid"]), ("established", "python3", 65534))
        self.assertEqual((line["container"], line["pod"], line["namespace"]), ("nginx", "web-1", "shop"))
        self.assertEqual(len(collector.records()), len(plumb.lines))
        resource = next(body for _, _, body in collector.requests if "resourceLogs" in body)["resourceLogs"][0]["resource"]["attributes"]
        self.assertEqual(plain_pairs(resource)["k8s.node.name"], "node-1")

        for taken in capabilities:
            less = [c for c in capabilities if c != taken]
            done = subprocess.run([*self.confined(root, less), "/plumb", *container["args"], "-d", "1ms"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"missing: CAP_{taken}", done.stderr)


class Privileges(ContainerTest):
    """The table of docs/containers.md: with these capabilities each tool knows all that it can know."""

    def drops(self, capabilities):
        """What drops says of a packet that overruns the buffer of another user's socket, and its messages."""
        program = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
input()
"""
        owner = self.ns.popen("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
                              program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            port = int(owner.stdout.readline())
            with Plumb("drops", "--where", f"dst_port == {port}", executable="/plumb",
                       prefix=self.confined(self.scratch(), capabilities)) as plumb:
                sender = ("import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "for _ in range(50): s.sendto(b'x' * 1000, ('127.0.0.1', int(sys.argv[1])))")
                self.ns.run("/usr/bin/python3", "-c", sender, str(port))
                plumb.wait_for(lambda lines: self.mine(lines, dst_port=port), "the drop")
            return self.mine(plumb.lines, dst_port=port)[0], owner.pid, plumb.stderr
        finally:
            owner.communicate("\n")

    def test_drops_names_places_and_owners_with_five(self):
        line, owner, messages = self.drops(["BPF", "PERFMON", "SYSLOG", "SYS_PTRACE", "DAC_READ_SEARCH"])
        self.assertEqual(line["pid"], owner)
        self.assertNotRegex(line["location"], "^0x")
        self.assertNotIn("hides its addresses", messages)

    def test_drops_names_owners_but_no_places_with_two(self):
        line, owner, messages = self.drops(["BPF", "PERFMON"])
        self.assertEqual(line["pid"], owner)  # the kernel side knows it
        self.assertRegex(line["location"], "^0x")
        self.assertIn("CAP_SYSLOG", messages)


class HostFiles(ContainerTest):
    def names(self, capabilities):
        """What doctor calls the pod's container in a container that sees the node's process 1, but no file of it."""
        _, node = self.pod()
        root = self.scratch(mounts=("sys",))
        os.makedirs(root.inside("proc"))
        root.mount("--bind", self.hierarchy, root.inside("/sys/fs/cgroup"))
        script = 'mount -t proc proc "$1/proc" && mount --bind "$2/var/log" /var/log && shift 2 && "$@"; exit $?'
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", root.path, node,
                               *self.confined(root, capabilities), "/plumb", "doctor", "--json"],
                              capture_output=True, text=True, check=True)
        return [(c["name"], c["pod"], c["namespace"]) for c in json.loads(done.stdout)["containers"]
                if c["id"] == self.identifier]

    def test_names_come_through_process_1(self):
        self.assertEqual(self.names(["BPF", "PERFMON", "SYS_PTRACE"]), [("nginx", "web-1", "shop")])

    def test_without_the_capability_for_that_the_id_stands(self):
        self.assertEqual(self.names(["BPF", "PERFMON"]), [(self.identifier[:12], None, None)])


class ProcessIds(ContainerTest):
    def test_ids_that_mean_other_processes_in_the_kernel_are_refused(self):
        own = ["unshare", "--pid", "--fork", "--mount-proc"]
        for args in (("-p", "1"), ("--", "true")):
            done = run_plumb("tcpconnect", *args, prefix=own)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"PID namespace", done.stderr)
            self.assertIn(b"--pid=host", done.stderr)
        self.assertEqual(run_plumb("tcpconnect", "-d", "1ms", prefix=own).returncode, 0)
        self.assertIn(b"of a PID namespace", run_plumb("doctor", prefix=own).stdout)
        self.assertNotIn(b"of a PID namespace", run_plumb("doctor").stdout)

    def test_a_command_in_a_pid_namespace_of_its_own_is_traced(self):
        done = run_plumb("tcpconnect", "--json", "--", "unshare", "--pid", "--fork", "/usr/bin/python3",
                         os.path.join(HERE, "demo_traffic.py"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'"outcome":"refused"', done.stdout)


@needs("podman", "runc")
class Image(ContainerTest):
    """The image, built and run by podman with runc, without a registry."""

    # Debian 12's podman: lets bpf(2) pass with CAP_SYS_ADMIN only.
    UNCONFINED = "--security-opt=seccomp=unconfined"

    def setUp(self):
        super().setUp()
        self.state = tempfile.mkdtemp(prefix="plumb-podman-")
        self.addCleanup(shutil.rmtree, self.state)
        # Not this user's store, nor more open files than this machine may have.
        config = os.path.join(self.state, "containers.conf")
        with open(config, "w") as file:
            file.write('[containers]\ndefault_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]\n')
        self.environment = {**os.environ, "CONTAINERS_CONF": config}
        self.addCleanup(lambda: self.podman("system", "reset", "--force"))
        self.podman("build", "--tag", "plumb", os.path.dirname(os.path.dirname(PLUMB)))

    def command(self, *args):
        podman = ["podman", "--runtime=runc", f"--root={self.state}/root", f"--runroot={self.state}/run",
                  f"--tmpdir={self.state}/tmp", "--storage-driver=vfs", "--cgroup-manager=cgroupfs",
                  "--events-backend=none", *args]
        if not glob.glob("/sys/fs/cgroup/*/cgroup.procs"):
            return podman
        # cgroup v1 beside v2 confuses podman and runc: they see v2 alone.
        return ["unshare", "--mount", "sh", "-c", 'umount --recursive --lazy /sys/fs/cgroup && '
                'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh", *podman]

    def podman(self, *args):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, env=self.environment,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    OPTIONS = ("run", "--rm", "--network=host", "--pids-limit=0")

    def traces(self, *options):
        """A run of the image with these options that sees a connection; returns its line."""
        prefix = self.command(*self.OPTIONS, "--pid=host", "--cgroupns=host", "--volume=/tmp:/tmp", *options)
        with Plumb("tcpconnect", executable="plumb", prefix=prefix, env=self.environment) as plumb:
            port = self.connect()
            plumb.wait_for(lambda lines: self.mine(lines, remote_port=port), "the connection")
        return self.one(plumb.lines, remote_port=port)

    def test_without_arguments_it_helps(self):
        self.assertIn("tcpconnect", self.podman(*self.OPTIONS, "plumb"))

    def test_it_traces_when_privileged(self):
        self.assertEqual(self.traces("--privileged")["comm"], "python3")

    def test_it_traces_with_no_more_than_the_daemonset_has(self):
        security = daemonset()["spec"]["template"]["spec"]["containers"][0]["securityContext"]
        added = [f"--cap-add={c}" for c in security["capabilities"]["add"]]
        line = self.traces("--cap-drop=ALL", *added, "--read-only", "--security-opt=no-new-privileges",
                           self.UNCONFINED)
        self.assertEqual((line["comm"], line["uid"]), ("python3", 65534))

    def test_a_seccomp_profile_that_forbids_it_is_named(self):
        done = subprocess.run(self.command(*self.OPTIONS, "--cap-add=BPF,PERFMON", "plumb", "tcpconnect", "-d", "1ms"),
                              capture_output=True, text=True, env=self.environment, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            self.skipTest("this podman's profile lets bpf(2) pass with CAP_BPF")
        self.assertIn("seccomp", done.stderr)
