//! A real worker, spoken to in frames, and a store with one small layer in it.

// Each file of tests uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub const LAYER: &str = "sha256:abababababababababababababababababababababababababababababababab";
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const EVENT: u8 = 3;
const DATA: u8 = 4;
const CREDIT: u8 = 5;
const CANCEL: u8 = 6;
const PROGRAMS: &str =
    "cat chmod dd echo env find grep hostname id ip ls mkdir mount nc ps rm rmdir sh sleep stat touch true unshare wc";

/// A store of its own for each test, gone with it.
pub struct Store(tempfile::TempDir);

impl Store {
    /// With a layer of busybox (Debian's busybox-static), users and a seed for volumes.
    pub fn new() -> Self {
        let store = Self(tempfile::tempdir().unwrap());
        let layer = store.path().join("snapshots").join(&LAYER["sha256:".len()..]);
        let root = layer.join("fs");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(root.join("bin"))
            .unwrap();
        for folder in ["etc", "tmp", "seed/inner"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        for program in PROGRAMS.split_whitespace() {
            symlink("busybox", root.join("bin").join(program)).unwrap();
        }
        fs::write(
            root.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
        )
        .unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\napp:x:1000:\nextra:x:50:app\n").unwrap();
        fs::write(root.join("seed/inner/file"), "seeded\n").unwrap();
        fs::set_permissions(root.join("seed"), fs::Permissions::from_mode(0o750)).unwrap();
        stamp(&layer);
        store
    }

    /// An empty layer named by a hex digit: its diffID and its directory.
    pub fn add_layer(&self, digit: char) -> (String, PathBuf) {
        let hex = digit.to_string().repeat(64);
        let layer = self.path().join("snapshots").join(&hex);
        fs::create_dir_all(layer.join("fs")).unwrap();
        stamp(&layer);
        (format!("sha256:{hex}"), layer.join("fs"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Says that a layer was written in this boot, as root.
fn stamp(layer: &Path) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(layer.join("boot"), format!("{} trusted.overlay.\n", boot.trim())).unwrap();
}

pub struct Worker {
    pub child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    streams: u32,
    store: PathBuf,
    pub lease: String,
}

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    pub response: Value,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn exit(&self) -> i64 {
        self.response["result"]["exitCode"]
            .as_i64()
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    pub fn code(&self) -> &str {
        self.response["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{self:?}"))
    }
}

impl Worker {
    pub fn start(store: &Store) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cooper-worker"))
            .env("LEAKED", "secret of the host")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let store = store.path().to_owned();
        let mut worker = Self {
            child,
            input,
            output,
            streams: 0,
            store,
            lease: String::new(),
        };
        let (kind, stream, welcome) = worker.read();
        assert_eq!((kind, stream, &welcome[..16]), (EVENT, 0, &b"{\"type\":\"welcome"[..]));
        let hello = worker.call("hello", json!({"version": 1, "root": worker.store}));
        worker.lease = hello["result"]["lease"]
            .as_str()
            .unwrap_or_else(|| panic!("{hello}"))
            .to_owned();
        worker
    }

    fn read(&mut self) -> (u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        self.output.read_exact(&mut head).unwrap();
        let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
        let mut payload = vec![0; length - 5];
        self.output.read_exact(&mut payload).unwrap();
        (head[4], u32::from_le_bytes(head[5..].try_into().unwrap()), payload)
    }

    fn write(&mut self, kind: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32 + 5).to_le_bytes().to_vec();
        frame.push(kind);
        frame.extend(stream.to_le_bytes());
        frame.extend(payload);
        self.input.as_mut().unwrap().write_all(&frame).unwrap();
    }

    pub fn request(&mut self, method: &str, params: Value) -> u32 {
        self.streams += 1;
        let stream = self.streams;
        self.write(
            REQUEST,
            stream,
            json!({"method": method, "params": params}).to_string().as_bytes(),
        );
        stream
    }

    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let stream = self.request(method, params);
        self.finish(stream).response
    }

    pub fn send(&mut self, stream: u32, data: &[u8]) {
        self.write(DATA, stream, data);
    }

    pub fn cancel(&mut self, stream: u32) {
        self.write(CANCEL, stream, &[]);
    }

    /// Reads until the first bytes of a stream's output.
    pub fn wait_for_output(&mut self, stream: u32) {
        loop {
            let (kind, from, payload) = self.read();
            assert_ne!(kind, RESPONSE, "{}", String::from_utf8_lossy(&payload));
            if kind == DATA && from == stream {
                return;
            }
        }
    }

    /// Reads until the response of a stream.
    pub fn finish(&mut self, stream: u32) -> Run {
        let mut output = [Vec::new(), Vec::new()];
        loop {
            let (kind, from, payload) = self.read();
            assert_eq!(from, stream);
            match kind {
                DATA => {
                    output[usize::from(payload[0]) - 1].extend(&payload[1..]);
                    self.write(CREDIT, stream, &(payload.len() as u32).to_le_bytes());
                }
                EVENT | CREDIT => {}
                _ => {
                    let [stdout, stderr] = output.map(|bytes| String::from_utf8(bytes).unwrap());
                    return Run {
                        response: serde_json::from_slice(&payload).unwrap(),
                        stdout,
                        stderr,
                    };
                }
            }
        }
    }

    /// Runs a shell script in the layer; `more` replaces params.
    pub fn shell(&mut self, script: &str, more: Value) -> Run {
        let stream = self.request("sandbox.run", params(&["sh", "-c", script], more));
        self.finish(stream)
    }

    /// The upper directory of a run that was committed.
    pub fn upper(&self, run: &Run) -> PathBuf {
        let id = run.response["result"]["snapshot"]
            .as_str()
            .unwrap_or_else(|| panic!("{run:?}"));
        let folder = id.replace("snap:", "snapshot-");
        self.store.join("tmp").join(&self.lease).join(folder).join("fs")
    }

    /// Closes stdin, and waits for the end.
    pub fn end(mut self) -> bool {
        drop(self.input.take());
        self.child.wait().unwrap().success()
    }
}

pub fn params(argv: &[&str], more: Value) -> Value {
    let mut params = json!({
        "root": [LAYER], "argv": argv, "env": ["PATH=/bin"], "cwd": "/", "user": "", "mounts": [], "network": "none",
        "hostname": "box", "commit": true, "stdin": false,
    });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

/// Containers as root need root; rootless ones are tested end to end, by a user that the set-up makes.
pub fn is_root() -> bool {
    let root = fs::metadata("/proc/self")
        .map(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
        .unwrap_or(false);
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

impl Worker {
    /// The next response, whoever it is for.
    pub fn finish_any(&mut self) -> (u32, Value) {
        loop {
            let (kind, stream, payload) = self.read();
            if kind == RESPONSE {
                return (stream, serde_json::from_slice(&payload).unwrap());
            }
        }
    }
}

/// Everything below a directory, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, above: &str, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{above}{}", entry.file_name().to_str().unwrap());
            into.push(name.clone());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), into);
            }
        }
    }
    let mut names = Vec::new();
    walk(folder, "", &mut names);
    names.sort();
    names
}
