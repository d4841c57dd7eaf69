//! The first process of a container, from the making of its namespaces to the exec of the program. One thread, no way back: what fails is
//! written to the report pipe.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{FileType, Gid, Mode, Uid, fchown, fstat, fstatfs};
use rustix::io::Errno;
use rustix::process::{Signal, fchdir, set_parent_process_death_signal, umask};
use rustix::termios::isatty;
use rustix::thread::{CapabilitySet, UnshareFlags, set_no_new_privs};
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error};
use crate::protocol::WorkerError;
use crate::syscalls;

use super::channel::receive;
use super::chroot;
use super::emulate;
use super::notify;
use super::passed_device;
use super::root::{Own, PROC_MAGIC, SYSFS_MAGIC};
use super::seccomp;
use super::spec::{Program, STDIO, Spec, Stubs};
use super::target::{self, Root};
use super::user::{self, User};
use super::{capabilities, cgroup, rlimits};

/// A line on the report pipe.
#[derive(Serialize, Deserialize)]
pub enum Report {
    /// All is made; exec is next.
    Ready(Stubs),
    Failed(WorkerError),
    NotExecuted {
        status: i32,
        message: String,
    },
}

/// As Docker has it where the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Far more than any real one; the image's author decides about the file.
const MOST_PASSWD_BYTES: u64 = 32 * 1024 * 1024;

/// What it begins with: copies of what its supervisor has.
pub struct Start<'a> {
    pub spec: &'a Spec,
    /// Of the spec.
    pub descriptors: Vec<OwnedFd>,
    /// Devices, where others had to make them.
    pub nodes: Option<BorrowedFd<'a>>,
    pub filter: Option<&'a seccomp::Compiled>,
    /// Says what the program is, when that is known.
    pub worker: &'a UnixStream,
    pub report: File,
    pub supervisor: UnixStream,
}

/// Becomes the program. Returns only when that failed, after reporting it.
pub fn run(mut start: Start<'_>) {
    let line = match start.become_program() {
        Ok(not_executed) => not_executed,
        Err(error) => Report::Failed(error.to_wire()),
    };
    // When the pipe cannot be written, the supervisor is gone, and so are we.
    let _ = write_line(&mut start.report, &line);
}

fn write_line(pipe: &mut impl Write, line: &Report) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    pipe.write_all(&bytes)
}

impl Start<'_> {
    fn become_program(&mut self) -> Result<Report, Error> {
        let mounts = emulate::mount_namespace()?;
        let own = self.isolate()?;
        let told = receive::<Program>(self.worker)?;
        let (program, descriptors) = told.ok_or_else(|| Error::internal("the worker is gone"))?;
        let user = self.enter(own, &program, &descriptors)?;
        self.give_up_rights(&user, &mounts)?;
        execute(&program, &environment(&program, &user)?)
    }

    /// What does not take the program: namespaces, and the mounts that all containers have (`None`: those by chroot have none).
    fn isolate(&self) -> Result<Option<Own>, Error> {
        rustix::process::setsid().doing(|| "start a session")?;
        enter_cgroup(self.spec, &self.descriptors)?;
        // A setuid program clears this; then the supervisor's watch over the worker is what remains.
        set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "tie the container to its supervisor")?;
        make_keyring(self.spec)?;
        umask(Mode::empty());
        if self.spec.chroot {
            return Ok(None);
        }
        let name = &self.spec.hostname;
        rustix::system::sethostname(name.as_bytes()).doing(|| format!("set hostname \"{name}\""))?;
        Own::make(self.spec, self.nodes).map(Some)
    }

    /// Enters the root filesystem, as the program finds it; all is made then.
    fn enter(&mut self, own: Option<Own>, program: &Program, descriptors: &[OwnedFd]) -> Result<User, Error> {
        let spec = self.spec;
        let [Some(stdin), Some(stdout), Some(stderr)] = [0, 1, 2].map(|place| descriptors.get(STDIO + place)) else {
            return Err(Error::internal("no stdio"));
        };
        let (mut root, null, terminal) = match own {
            Some(own) => own.assemble(spec, program, descriptors, &self.supervisor)?,
            None => {
                let root = chroot::enter(descriptors)?;
                let null = chroot::open_null(&root)?;
                (root, null, None)
            }
        };
        umask(Mode::from_raw_mode(0o022));
        let user = find_user(&root, &program.user)?;
        passed_device::give_to_user(&root, program, &user)?;
        enter_directory(&root, &program.cwd, &user, spec.emulate_ids)?;
        rlimits::set_defaults(&spec.ulimits, program.has_secret);
        let stdio = match &terminal {
            None if is_null(stdin)? => [null.as_fd(), stdout.as_fd(), stderr.as_fd()],
            None => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
            Some(terminal) => {
                terminal.take()?;
                [terminal.slave.as_fd(); 3]
            }
        };
        take_stdio(stdio, &user, spec.emulate_ids)?;
        rlimits::set(&spec.ulimits)?;
        let ready = Report::Ready(std::mem::take(&mut root.stubs));
        write_line(&mut self.report, &ready).doing(|| "report to the supervisor")?;
        Ok(user)
    }

    fn give_up_rights(&self, user: &User, mounts: &OwnedFd) -> Result<(), Error> {
        let spec = self.spec;
        if !spec.services.is_empty() {
            notify::install(&spec.services, &self.supervisor)?;
        }
        // With this anybody may load a filter.
        if spec.security.no_new_privileges {
            set_no_new_privs(true).doing(|| "give up new privileges")?;
        }
        // Else that needs CAP_SYS_ADMIN, as no_new_privs stays off (sudo works in a RUN); so it comes before the capabilities go.
        if let Some(filter) = self.filter {
            syscalls::load_filter(&filter.program, filter.flags).doing(|| "load the seccomp filter")?;
        }
        let kept = CapabilitySet::from_bits_retain(spec.security.capabilities);
        match (spec.emulate_ids, spec.insecure) {
            (true, insecure) => {
                if !insecure {
                    capabilities::stay_root(kept)?;
                }
                emulate::hand_over(&self.supervisor, user.clone(), mounts, (!insecure).then_some(kept))?;
            }
            (false, true) => capabilities::become_user_with_all(user)?,
            (false, false) => capabilities::become_user(user, kept)?,
        }
        set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "tie the container to its supervisor")?;
        syscalls::reset_signals();
        syscalls::close_on_exec_from(3).doing(|| "close descriptors")
    }
}

/// A kernel without keyrings has nothing to hide, and the filter that we are under may refuse them altogether.
fn make_keyring(spec: &Spec) -> Result<(), Error> {
    match syscalls::new_session_keyring() {
        Err(error) if spec.chroot && error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        Err(error) if error.raw_os_error() != Some(libc::ENOSYS) => Err(error).doing(|| "make a session keyring"),
        _ => Ok(()),
    }
}

/// Its own cgroup is the root of those that it sees, so it is in there before it gets a namespace of them.
fn enter_cgroup(spec: &Spec, descriptors: &[OwnedFd]) -> Result<(), Error> {
    let entrances = spec.cgroup.iter().filter_map(|&place| descriptors.get(place));
    cgroup::enter(entrances)?;
    if spec.chroot {
        return Ok(());
    }
    syscalls::unshare(UnshareFlags::NEWCGROUP).doing(|| "make a cgroup namespace")
}

fn environment(program: &Program, user: &User) -> Result<Vec<CString>, Error> {
    // An empty one counts as none. Source: runc, `finalizeNamespace`.
    let own = |entry: &&String| *entry != "HOME=";
    let home = (!program.env.iter().filter(own).any(|entry| entry.starts_with("HOME=")))
        .then(|| format!("HOME={}", user.home));
    program
        .env
        .iter()
        .filter(own)
        .cloned()
        .chain(home)
        .map(c_string)
        .collect()
}

fn c_string(text: String) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::user("RUN_FAILED", "an argument or a variable holds a NUL byte"))
}

fn find_user(root: &Root, text: &str) -> Result<User, Error> {
    user::resolve(text, &read_text(root, "/etc/passwd")?, &read_text(root, "/etc/group")?)
}

/// Empty when there is none, as in an image from scratch. What is no regular file is not read: a fifo would hold us up.
fn read_text(root: &Root, path: &str) -> Result<String, Error> {
    let file = match root.open_file(path) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(String::new()),
        Err(error) => {
            let error = std::io::Error::from(error);
            return Err(Error::user(
                "IMAGE_INVALID",
                format!("cannot open \"{path}\" of the image: {error}"),
            ));
        }
    };
    let doing = || format!("stat \"{path}\" of the image");
    let stat = fstat(&file).doing(doing)?;
    // Files of the kernel are none of the image's: to read one of them may wait, or take from others what it says (/proc/kmsg).
    let kernels = [PROC_MAGIC, SYSFS_MAGIC].contains(&(fstatfs(&file).doing(doing)?.f_type as i64));
    if kernels || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(MOST_PASSWD_BYTES)
        .read_to_end(&mut bytes)
        .doing(|| format!("read \"{path}\""))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes it where it is missing, owned by the user, and makes sure that it lies within the root.
fn enter_directory(root: &Root, path: &str, user: &User, emulated: bool) -> Result<(), Error> {
    let directory = target::make_directories(root, path, user, emulated)?;
    fchdir(&directory).doing(|| format!("enter \"{path}\""))?;
    let current = rustix::process::getcwd(Vec::new()).doing(|| "read the current directory")?;
    if current.to_bytes().starts_with(b"/") {
        Ok(())
    } else {
        Err(Error::user(
            "RUN_FAILED",
            format!("the working directory \"{path}\" is outside of the container"),
        ))
    }
}

/// The machine's null device, which no program may get: it could change what that node is (as `Devices::open_null` says).
fn is_null(stdin: &OwnedFd) -> Result<bool, Error> {
    let stat = fstat(stdin).doing(|| "stat stdin")?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice)
}

/// Pipes and terminals belong to the user, so that /dev/stdout can be opened again; 0, 1 and 2 are all that the program gets.
fn take_stdio(stdio: [BorrowedFd<'_>; 3], user: &User, emulated: bool) -> Result<(), Error> {
    for (number, descriptor) in stdio.into_iter().enumerate() {
        let stat = fstat(descriptor).doing(|| "stat stdio")?;
        let group = match FileType::from_raw_mode(stat.st_mode) {
            _ if emulated => None,
            FileType::Fifo => Some(Some(Gid::from_raw(user.gid))),
            // Its group is that of all terminals.
            FileType::CharacterDevice if isatty(descriptor) => Some(None),
            _ => None,
        };
        if let Some(group) = group {
            fchown(descriptor, Some(Uid::from_raw(user.uid)), group).doing(|| "give stdio to the user")?;
        }
        debug_assert!(
            descriptor.as_raw_fd() > 2,
            "descriptors from the socket come after stdio"
        );
        match number {
            0 => rustix::stdio::dup2_stdin(descriptor),
            1 => rustix::stdio::dup2_stdout(descriptor),
            _ => rustix::stdio::dup2_stderr(descriptor),
        }
        .doing(|| "set up stdio")?;
    }
    Ok(())
}

/// Tries each place of PATH, as execvp does; gives the status and message that a shell would.
fn execute(program: &Program, environment: &[CString]) -> Result<Report, Error> {
    let Some(name) = program.argv.first() else {
        return Err(Error::user("RUN_FAILED", "there is no program to run"));
    };
    let arguments = program
        .argv
        .iter()
        .cloned()
        .map(c_string)
        .collect::<Result<Vec<_>, _>>()?;
    let arguments: Vec<_> = arguments.iter().map(CString::as_c_str).collect();
    let variables: Vec<_> = environment.iter().map(CString::as_c_str).collect();
    let mut worst = std::io::Error::from(Errno::NOENT);
    for place in places(name, &program.env) {
        let error = syscalls::execute(&c_string(place)?, &arguments, &variables);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            // A later place may have one that can be run.
            Some(libc::EACCES) => worst = error,
            _ => {
                worst = error;
                break;
            }
        }
    }
    let missing = worst.raw_os_error() == Some(libc::ENOENT);
    let reason = if missing && !name.contains('/') {
        "not found in PATH".to_owned()
    } else {
        words(&worst)
    };
    Ok(Report::NotExecuted {
        status: if missing { 127 } else { 126 },
        message: format!("exec \"{name}\": {reason}"),
    })
}

fn places(name: &str, env: &[String]) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    if name.is_empty() {
        return Vec::new();
    }
    let path = env
        .iter()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    path.split(':')
        .map(|place| format!("{}/{name}", if place.is_empty() { "." } else { place }))
        .collect()
}

fn words(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "no such file".to_owned(),
        Some(libc::EACCES) => "permission denied".to_owned(),
        Some(libc::ENOEXEC) => "not a program of this machine".to_owned(),
        _ => error.to_string(),
    }
}
