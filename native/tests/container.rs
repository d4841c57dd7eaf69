//! Containers by the real worker, as root.

// A test may end where it meets what it does not expect.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Read;
use std::net::TcpStream;

use serde_json::{Value, json};
use support::{Store, Worker, is_root, names, params};

/// Scripts and what they must print: one container each.
#[test]
fn what_a_program_sees() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    for (name, script, more, want) in [
        (
            "it is PID 1 and alone",
            "ls -d /proc/[0-9]*; echo $$",
            json!({}),
            "/proc/1\n1\n",
        ),
        (
            "a given HOME stays",
            "echo $HOME",
            json!({"env": ["PATH=/bin", "HOME=/x"]}),
            "/x\n",
        ),
        (
            "its hostname, and no file for it but the image's",
            "hostname; test -e /etc/hostname || echo none",
            json!({}),
            "box\nnone\n",
        ),
        (
            "its user and groups",
            "id",
            json!({"user": "app"}),
            "uid=1000(app) gid=1000(app) groups=50(extra),1000(app)\n",
        ),
        (
            "root has Docker's capabilities",
            "grep CapEff /proc/self/status",
            json!({}),
            "CapEff:\t00000000a80425fb\n",
        ),
        (
            "a user has none",
            "grep CapEff /proc/self/status",
            json!({"user": "app"}),
            "CapEff:\t0000000000000000\n",
        ),
        (
            "it may gain privileges",
            "grep NoNewPrivs /proc/self/status",
            json!({}),
            "NoNewPrivs:\t0\n",
        ),
        (
            "a filter is on",
            "grep Seccomp: /proc/self/status",
            json!({}),
            "Seccomp:\t2\n",
        ),
        ("umask", "umask", json!({}), "0022\n"),
        (
            "its directory is made",
            "stat -c %a:%u .; echo $PWD",
            json!({"cwd": "/a/b"}),
            "755:0\n/a/b\n",
        ),
        ("no network is lo only", "ls /sys/class/net", json!({}), "lo\n"),
        (
            "a user can open stdout again",
            "echo again > /dev/stdout",
            json!({"user": "app"}),
            "again\n",
        ),
        (
            "no /dev/kmsg, no disks",
            // core is where the machine has a /proc/kcore.
            "ls /dev | grep -v '^core$'",
            json!({}),
            "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n",
        ),
        (
            "hosts that were asked for",
            "grep test /etc/hosts",
            json!({"hosts": ["10.1.2.3 registry.test"]}),
            "10.1.2.3 registry.test\n",
        ),
    ] {
        let run = worker.shell(script, more);
        assert_eq!(
            (run.exit(), run.stdout.as_str(), run.stderr.as_str()),
            (0, want, ""),
            "{name}"
        );
    }
    assert!(worker.end());
}

#[test]
fn nothing_of_the_worker_is_inherited() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    // `ls` itself opens the directory, as the first free number.
    let stream = worker.request("sandbox.run", params(&["ls", "/proc/self/fd"], json!({})));
    let run = worker.finish(stream);
    assert_eq!(run.stdout, "0\n1\n2\n3\n");
    // And of the worker's environment nothing is seen.
    let stream = worker.request("sandbox.run", params(&["env"], json!({})));
    assert_eq!(worker.finish(stream).stdout, "PATH=/bin\nHOME=/root\n");
    assert!(worker.end());
}

/// What must fail within, each with a shell's status.
#[test]
fn what_a_program_cannot_do() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    for (name, script) in [
        ("write a sysctl", "echo x > /proc/sys/kernel/hostname"),
        ("write the core pattern", "echo x > /proc/sys/kernel/core_pattern"),
        ("ask the kernel for a reboot", "echo b > /proc/sysrq-trigger"),
        ("mount", "mount -t tmpfs none /tmp"),
        ("leave its namespaces", "unshare -m true"),
        (
            "read kernel memory",
            "dd if=/proc/kcore bs=1 count=1 2>/dev/null | grep .",
        ),
        ("read the firmware's tables", "ls /sys/firmware | grep ."),
        ("write to /sys", "echo x > /sys/kernel/uevent_helper"),
        ("see the host's root", "ls /proc/1/root/work /.old 2>/dev/null | grep ."),
    ] {
        let run = worker.shell(script, json!({}));
        assert_ne!(run.exit(), 0, "{name}: {run:?}");
    }
    assert!(worker.end());
}

#[test]
fn how_it_ended_is_reported() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    for (argv, exit, signal) in [
        (&["sh", "-c", "exit 3"][..], 3, Value::Null),
        // PID 1 cannot kill itself; of its child the shell tells as every shell does.
        (&["sh", "-c", "sh -c 'kill -9 $$'; exit $?"][..], 137, Value::Null),
        (&["no-such-program"][..], 127, Value::Null),
        (&["/etc/passwd"][..], 126, Value::Null),
        (&["/etc"][..], 126, Value::Null),
    ] {
        let stream = worker.request("sandbox.run", params(argv, json!({})));
        let run = worker.finish(stream);
        assert_eq!(
            (run.exit(), &run.response["result"]["signal"]),
            (exit, &signal),
            "{argv:?}: {run:?}"
        );
        assert_eq!(
            run.response["result"]["snapshot"],
            Value::Null,
            "a failed step leaves no snapshot"
        );
    }
    for (more, code) in [
        (json!({"user": "nobody"}), "USER_NOT_FOUND"),
        (json!({"user": "4294967296"}), "USER_NOT_FOUND"),
        (json!({"cwd": "/proc/self/fd/3"}), "RUN_FAILED"),
        (json!({"cwd": "/etc/passwd"}), "RUN_FAILED"),
        (
            json!({"mounts": [{"type": "tmpfs", "target": "/etc/passwd/x", "readonly": false}]}),
            "UNSUPPORTED",
        ),
        (
            json!({"mounts": [{"type": "tmpfs", "target": "/proc/../proc/self", "readonly": false}]}),
            "UNSUPPORTED",
        ),
        (
            json!({"mounts": [{"type": "secret", "target": "/s", "readonly": true, "secret": "none"}]}),
            "SECRET_MISSING",
        ),
    ] {
        assert_eq!(worker.shell("true", more).code(), code);
    }
    assert!(worker.end());
}

#[test]
fn a_layer_shows_no_trace_of_our_mounts() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let mounts = json!([
        {"type": "tmpfs", "target": "/seed/new/deep", "readonly": false},
        {"type": "tmpfs", "target": "/etc/inner", "readonly": false},
    ]);
    let run = worker.shell(
        "touch /seed/new/deep/file /etc/inner/file; echo x > /etc/hosts",
        json!({"mounts": mounts}),
    );
    // What a step wrote to our file would be lost: it may not. As in BuildKit.
    assert!(run.stderr.contains("/etc/hosts: Read-only"), "{run:?}");
    let run = worker.shell("touch /seed/new/deep/file /etc/inner/file", json!({"mounts": mounts}));
    assert_eq!(run.exit(), 0, "{run:?}");
    assert_eq!(names(&worker.upper(&run)), Vec::<String>::new());
    // What the program does itself stays, beside a stub and even in the place of one.
    let run = worker.shell("touch /etc/own; mkdir /seed/new/own", json!({"mounts": mounts}));
    assert_eq!(
        names(&worker.upper(&run)),
        ["etc", "etc/own", "seed", "seed/new", "seed/new/own"]
    );
    assert!(worker.end());
}

#[test]
fn mounts_of_every_kind() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("file"), "of the host\n").unwrap();
    worker.call(
        "handle.open",
        json!({"handle": "v", "path": host.path(), "access": "write"}),
    );
    worker.call("secret.put", json!({"id": "token", "base64": "c2VjcmV0"}));
    let layer = support::LAYER;
    for (name, mount, script, want) in [
        (
            "a cache keeps what is written",
            json!({"type": "cache", "target": "/c", "id": "../x", "readonly": false}),
            "echo kept > /c/f",
            "",
        ),
        (
            "for the next one",
            json!({"type": "cache", "target": "/d", "id": "../x", "readonly": true}),
            "cat /d/f",
            "kept\n",
        ),
        (
            "a private copy is another one only while the first is in use",
            json!({"type": "cache", "target": "/d", "id": "../x", "readonly": true, "sharing": "private"}),
            "cat /d/f",
            "kept\n",
        ),
        (
            "a secret",
            json!({"type": "secret", "target": "/run/secrets/t", "secret": "token", "readonly": true, "uid": 7}),
            "stat -c %a:%u /run/secrets/t; cat /run/secrets/t",
            "400:7\nsecret",
        ),
        (
            "a volume begins with the image's content",
            json!({"type": "volume", "target": "/seed", "readonly": false}),
            "stat -c %a /seed; cat /seed/inner/file; touch /seed/x",
            "750\nseeded\n",
        ),
        (
            "and is gone afterwards",
            json!({"type": "volume", "target": "/seed", "readonly": false}),
            "ls /seed",
            "inner\n",
        ),
        (
            "a path of another filesystem",
            json!({"type": "bind", "target": "/t", "chain": [layer], "source": "/seed/inner", "readonly": true}),
            "ls /t; touch /t/x 2>/dev/null || echo refused",
            "file\nrefused\n",
        ),
        (
            "writes to one are thrown away",
            json!({"type": "bind", "target": "/t", "chain": [layer], "readonly": false}),
            "touch /t/x && ls /t/x",
            "/t/x\n",
        ),
        (
            "a symlink in a source stays in its root",
            json!({"type": "bind", "target": "/t", "chain": [layer], "source": "/bin/sh", "readonly": true}),
            "/t -c 'echo ran' 2>&1 | wc -l",
            "1\n",
        ),
        (
            "a host directory",
            json!({"type": "bind", "target": "/h", "handle": "v", "readonly": false}),
            "cat /h/file; echo new > /h/made",
            "of the host\n",
        ),
        (
            "a file of it",
            json!({"type": "bind", "target": "/h/one", "handle": "v", "source": "/file", "readonly": true}),
            "cat /h/one",
            "of the host\n",
        ),
        (
            "a tmpfs",
            json!({"type": "tmpfs", "target": "/t", "size": 4096, "mode": 0o700, "readonly": false}),
            "stat -c %a /t; dd if=/dev/zero of=/t/x bs=8192 count=1 2>/dev/null || echo full",
            "700\nfull\n",
        ),
    ] {
        let run = worker.shell(script, json!({"mounts": [mount]}));
        assert_eq!(
            (run.exit(), run.stdout.as_str(), run.stderr.as_str()),
            (0, want, ""),
            "{name}"
        );
    }
    assert_eq!(fs::read_to_string(host.path().join("made")).unwrap(), "new\n");
    // A part of it, by symlinks that lead out of it.
    std::os::unix::fs::symlink("/etc", host.path().join("out")).unwrap();
    std::os::unix::fs::symlink("/proc/self/root/etc", host.path().join("magic")).unwrap();
    for source in ["/out", "/magic", "/../etc"] {
        let mount = json!({"type": "bind", "target": "/h", "handle": "v", "source": source, "readonly": true});
        let run = worker.shell("ls /h", json!({"mounts": [mount]}));
        assert_eq!(run.code(), "COPY_SOURCE_MISSING", "{source}");
    }
    assert!(worker.end());
    assert!(!store.path().join("x").exists());
}

#[test]
fn input_output_and_cancelling() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let stream = worker.request("sandbox.run", params(&["cat"], json!({"stdin": true})));
    worker.send(stream, b"to and fro");
    worker.send(stream, b"");
    assert_eq!(worker.finish(stream).stdout, "to and fro");
    // More than the first credit, on a program that also leaves something running behind it.
    let run = worker.shell("sleep 1000 & dd if=/dev/zero bs=65536 count=48 2>/dev/null", json!({}));
    assert_eq!((run.exit(), run.stdout.len()), (0, 3 * 1024 * 1024));
    let stream = worker.request(
        "sandbox.run",
        params(&["sh", "-c", "echo begun; sleep 1000"], json!({})),
    );
    worker.wait_for_output(stream);
    worker.cancel(stream);
    assert_eq!(worker.finish(stream).code(), "CANCELLED");
    let stream = worker.request(
        "sandbox.run",
        params(
            &[
                "sh",
                "-c",
                "trap 'exit 9' TERM; echo begun; while :; do sleep 0.01; done",
            ],
            json!({}),
        ),
    );
    worker.wait_for_output(stream);
    worker.request("sandbox.signal", json!({"stream": stream, "signal": 15}));
    loop {
        let run = worker.finish_any();
        if run.0 == stream {
            assert_eq!(run.1["result"]["exitCode"], 9);
            break;
        }
    }
    assert!(worker.end());
}

#[test]
fn a_published_port_reaches_the_program() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let ports = json!([{"hostIP": "127.0.0.1", "hostPort": port, "port": 80, "protocol": "tcp"}]);
    let script = "ls /sys/class/net; echo from within | nc -l -p 80 & while ! grep -q :0050 /proc/net/tcp /proc/net/tcp6; do :; done; echo ready >&2; wait";
    let more = json!({"network": "default", "ports": ports, "user": "app"});
    let stream = worker.request("sandbox.run", params(&["sh", "-c", script], more));
    worker.wait_for_output(stream);
    // Without slirp4netns there is no namespace to publish from, and the run was refused.
    let mut text = String::new();
    while text.is_empty() {
        if let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) {
            // Until the program listens, the forwarder's connection is closed without a byte.
            let _ = connection.read_to_string(&mut text);
        }
    }
    assert_eq!(text, "from within\n");
    worker.cancel(stream);
    worker.finish(stream);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(worker.end());
}

/// What a program could reach of cooper, if it could reach any of it, is a copy in memory without the caller's environment.
#[test]
fn a_supervisor_runs_from_memory_and_knows_nothing() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    let stream = worker.request(
        "sandbox.run",
        params(&["sh", "-c", "echo begun; sleep 1000"], json!({})),
    );
    worker.wait_for_output(stream);
    let parent = format!("PPid:\t{}\n", worker.child.id());
    let of_worker = |process: &fs::DirEntry| {
        let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
        let command = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        status.contains(&parent) && command.contains("supervise-container")
    };
    let mut supervisors = 0;
    for process in fs::read_dir("/proc").unwrap().flatten().filter(of_worker) {
        let binary = fs::read_link(process.path().join("exe")).unwrap();
        assert_eq!(binary.to_str(), Some("/memfd:cooper-worker (deleted)"));
        assert_eq!(fs::read_to_string(process.path().join("environ")).unwrap(), "");
        supervisors += 1;
    }
    assert!(supervisors > 0);
    worker.cancel(stream);
    worker.finish(stream);
    assert!(worker.end());
}

#[test]
fn a_killed_worker_leaves_no_process_and_no_mount() {
    if !is_root() {
        return;
    }
    let store = Store::new();
    let mut worker = Worker::start(&store);
    // Without a shell of PID 1's own mind, and as a user: what a setuid program clears must not matter.
    let marker = format!("{}.5", std::process::id());
    let script = format!("echo begun; sleep 7{marker} & sleep 7{marker}");
    let stream = worker.request(
        "sandbox.run",
        params(&["sh", "-c", &script], json!({"network": "default", "user": "app"})),
    );
    worker.wait_for_output(stream);
    assert!(!processes(&marker).is_empty());
    worker.child.kill().unwrap();
    worker.child.wait().unwrap();
    while !processes(&marker).is_empty() {
        std::thread::yield_now();
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(store.path().to_str().unwrap()));
    let left = store.path().join("tmp").join(&worker.lease);
    assert!(left.exists());
    // The next one sweeps what is left.
    let next = Worker::start(&store);
    while left.exists() {
        std::thread::yield_now();
    }
    assert!(next.end());
}

/// Processes whose command line holds `marker`.
fn processes(marker: &str) -> Vec<String> {
    let commands = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    commands
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .filter(|text| text.contains(marker))
        .collect()
}
