//! The kernel calls that have no safe form elsewhere: thin, over owned and borrowed descriptors. The only files with `unsafe` are this and
//! those of its folder.

pub mod others;

pub mod notification;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::process::Pid;

/// How a child ended, and what it used.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// As wait4 gives it.
    pub status: i32,
    pub max_rss_bytes: u64,
    pub user_ms: u64,
    pub system_ms: u64,
}

/// One instruction of a classic BPF program.
pub type Instruction = libc::sock_filter;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// fork with namespaces (`CLONE_NEW…`); `None` in the child. Only for a process with one thread: the child has no other, and whatever lock
/// another thread held would stay locked in it.
pub fn clone_process(namespaces: libc::c_int) -> io::Result<Option<Pid>> {
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with a null stack this is fork: the child has its own copy of memory and stack. The caller has one thread.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    Ok(Pid::from_raw(pid as i32))
}

/// Waits for a child's end.
pub fn wait(child: Pid) -> io::Result<Ended> {
    // SAFETY: both are plain data that wait4 fills.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    loop {
        // SAFETY: both pointers are to live values of the right type.
        match check(unsafe { libc::wait4(child.as_raw_nonzero().get(), &mut status, 0, &mut usage) }.into()) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let milliseconds = |time: libc::timeval| time.tv_sec as u64 * 1000 + time.tv_usec as u64 / 1000;
    Ok(Ended {
        status,
        max_rss_bytes: usage.ru_maxrss as u64 * 1024,
        user_ms: milliseconds(usage.ru_utime),
        system_ms: milliseconds(usage.ru_stime),
    })
}

/// Does something in a child, in namespaces (`CLONE_NEW…`) of its own. Only for a process with one thread.
pub fn in_child(namespaces: libc::c_int, work: impl FnOnce() -> rustix::io::Result<()>) -> io::Result<()> {
    let Some(child) = clone_process(namespaces)? else {
        exit_now(work().map_or_else(|error| error.raw_os_error(), |()| 0))
    };
    let status = wait(child)?.status;
    match libc::WEXITSTATUS(status) {
        // A seccomp filter around us may kill who tries.
        _ if !libc::WIFEXITED(status) => Err(io::Error::other(format!("ended by signal {}", libc::WTERMSIG(status)))),
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

/// Sets and clears attributes (`MOUNT_ATTR_…`) of a mount, or of a whole tree of them.
pub fn mount_setattr(mount: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    set_attributes(mount, &attributes, recursive)
}

fn set_attributes(mount: BorrowedFd<'_>, attributes: &libc::mount_attr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, the attributes live through the call, and the size is theirs.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const *attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Gives a detached mount, or a whole tree of them, the ids of a user namespace.
pub fn set_idmap(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    set_attributes(mount, &attributes, recursive)
}

/// Ids for what this thread does to files, and for nothing else.
pub fn set_fs_ids(uid: u32, gid: u32) -> io::Result<()> {
    for (number, id) in [(libc::SYS_setfsgid, gid), (libc::SYS_setfsuid, uid)] {
        // SAFETY: these change a number of this thread. They tell no error: what they give is the id from before, so it is asked again.
        let now = unsafe {
            libc::syscall(number, id);
            libc::syscall(number, -1)
        };
        if now as u32 != id {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
    }
    Ok(())
}

/// Loads a seccomp filter for this thread and its children, with flags `SECCOMP_FILTER_FLAG_…`. Needs CAP_SYS_ADMIN, as no_new_privs stays off.
pub fn load_filter(program: &[Instruction], flags: u32) -> io::Result<()> {
    set_filter(program, flags.into()).map(drop)
}

/// Gives what the kernel does: a descriptor where the flags ask for a listener.
fn set_filter(program: &[Instruction], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads `len` instructions and writes none.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const filter,
        )
    })
}

/// Leaves the caller's session keyring for a new, empty one.
pub fn new_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring; nothing is written.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) }).map(drop)
}

/// All signals to their default action, and none blocked: what a program expects to start with.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default action runs no code of ours. KILL, STOP and the two of libc's own refuse, which is as good.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set is plain data; both pointers live through the calls.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// A terminal's Ctrl-C goes to the whole group; the builder decides what it means and tells us.
pub fn ignore_interrupts() {
    // SAFETY: ignoring runs no code of ours.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

/// Marks every descriptor from `first` on to be closed by the next exec.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    // SAFETY: marking closes nothing now, so no owned descriptor becomes invalid.
    check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
    .map(drop)
}

/// Becomes another program; returns only with the error.
pub fn execute(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> io::Error {
    let pointers = |strings: &[&CStr]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with null, and all strings live through the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process by a signal, unless it ends before by itself.
pub fn end_after(seconds: u32) {
    // SAFETY: touches no memory; the signal's default action ends the process.
    unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::alarm(seconds);
    }
}

/// mknodat with its arguments as a program gave them: type and permissions, and the number in the kernel's own form.
pub fn make_node(directory: BorrowedFd<'_>, name: &CStr, mode: u32, device: u32) -> rustix::io::Result<()> {
    // SAFETY: the name lives through the call.
    let made = unsafe { libc::syscall(libc::SYS_mknodat, directory.as_raw_fd(), name.as_ptr(), mode, device) };
    check(made)
        .map(drop)
        .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))
}

/// Ends at once, without running anything at exit: for a forked child.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: never returns, touches no memory.
    unsafe { libc::_exit(status) }
}

/// Leaves namespaces for new ones. Of a process with several threads it moves the calling one only.
pub fn unshare(namespaces: rustix::thread::UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the danger is in CLONE_FILES, which would leave descriptors that others own; nobody here asks for it.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }
}

/// The child will be killed when the thread that starts it ends, as it does when the process is killed.
pub fn die_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let tie = || {
        // SAFETY: one call of the kernel, which touches no memory: it may be made between fork and exec.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }.into()).map(drop)
    };
    // SAFETY: `tie` allocates nothing and takes no lock.
    unsafe { command.pre_exec(tie) };
}

/// Closes stdin and stdout, for a process that only waits: whoever is at their other ends must not wait for it.
pub fn close_stdio() {
    for number in [0, 1] {
        // SAFETY: nothing of ours uses them afterwards, and no owned descriptor has these numbers.
        unsafe { libc::close(number) };
    }
}
