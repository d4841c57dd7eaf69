//! A running container's input and output, until its end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, fchown, fcntl_setfl, openat};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::context::RequestContext;
use crate::error::{Doing, Error};
use crate::owner::Owners;
use crate::secret::{Mask, Masked};

use super::channel::receive;
use super::spec::{Answer, Stubs};
use super::supervisor::kill;

/// The worker's ends of stdio.
pub struct Streams {
    stdin: Option<File>,
    /// Whether the builder sends any.
    has_input: bool,
    /// stdout, stderr; or a terminal alone.
    outputs: Vec<File>,
}

/// How it ended.
#[derive(Default)]
pub struct Outcome {
    status: i32,
    not_executed: Option<i32>,
    pub max_rss_bytes: u64,
    pub user_ms: u64,
    pub system_ms: u64,
    pub stubs: Stubs,
    pub owners: Option<Owners>,
    /// Paths that were something else while it ran.
    pub touched: Vec<String>,
}

impl Outcome {
    pub fn of(answer: Option<Answer>, stubs: Stubs) -> Result<Self, Error> {
        match answer {
            Some(Answer::Ended {
                status,
                max_rss_bytes,
                user_ms,
                system_ms,
                owners,
            }) => Ok(Self {
                status,
                not_executed: None,
                max_rss_bytes,
                user_ms,
                system_ms,
                stubs,
                owners,
                touched: Vec::new(),
            }),
            Some(Answer::Failed(error)) => Err(Error::Relayed(Box::new(error))),
            _ => Err(Error::internal("the supervisor ended before its container")),
        }
    }

    /// The container was there, its program was not: `status` as a shell has it.
    pub fn without_program(self, status: i32) -> Self {
        Self {
            not_executed: Some(status),
            ..self
        }
    }

    pub fn signal(&self) -> Option<i32> {
        libc::WIFSIGNALED(self.status).then(|| libc::WTERMSIG(self.status))
    }

    pub fn exit_code(&self) -> i32 {
        self.not_executed
            .or(self.signal().map(|signal| 128 + signal))
            .unwrap_or_else(|| libc::WEXITSTATUS(self.status))
    }
}

impl Streams {
    /// Ours, and the program's three. With a terminal they are of no use: it makes its own. `owner` is the program's root, who gives them to
    /// its user.
    pub fn open(stdin: bool, terminal: bool, owner: Option<u32>) -> Result<(Self, [OwnedFd; 3]), Error> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).doing(|| "make a pipe");
        let (input, feed) = if stdin && !terminal {
            let (reading, writing) = pipe()?;
            (reading, Some(File::from(writing)))
        } else {
            let null = openat(CWD, "/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            (null.doing(|| "open /dev/null")?, None)
        };
        let ((out, out_writing), (err, err_writing)) = (pipe()?, pipe()?);
        if let Some(root) = owner {
            for pipe in [feed.as_ref().map(AsFd::as_fd), Some(out.as_fd()), Some(err.as_fd())]
                .into_iter()
                .flatten()
            {
                fchown(pipe, Some(Uid::from_raw(root)), Some(Gid::from_raw(root))).doing(|| "set up a pipe")?;
            }
        }
        for output in [&out, &err] {
            fcntl_setfl(output, OFlags::NONBLOCK).doing(|| "set up a pipe")?;
        }
        Ok((
            Self {
                stdin: feed,
                has_input: stdin,
                outputs: vec![out.into(), err.into()],
            },
            [input, out_writing, err_writing],
        ))
    }

    /// Once the terminal is there.
    pub fn of_terminal(self, terminal: &OwnedFd) -> Result<Self, Error> {
        let doing = || "set up a terminal";
        fcntl_setfl(terminal, OFlags::NONBLOCK).doing(doing)?;
        let end = || terminal.try_clone().doing(doing).map(File::from);
        Ok(Self {
            stdin: self.has_input.then(end).transpose()?,
            has_input: self.has_input,
            outputs: vec![end()?],
        })
    }
}

/// One of the outputs, on its way to the builder.
struct Output<'a> {
    file: File,
    /// The byte that names it.
    tag: u8,
    request: &'a RequestContext,
    masked: Option<Masked<'a>>,
}

impl Output<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.masked {
            None => self.request.send_data(self.tag, bytes),
            Some(masked) => self.request.send_data(self.tag, &masked.push(bytes)),
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        match &mut self.masked {
            None => Ok(()),
            Some(masked) => self.request.send_data(self.tag, &masked.end()),
        }
    }
}

/// Passes bytes on until the supervisor says that all has ended, and then what is left in the pipes. What `mask` knows is not shown.
pub fn run(
    request: &RequestContext,
    socket: &UnixStream,
    pidfd: &OwnedFd,
    streams: Streams,
    mask: Option<&Mask>,
) -> Result<Answer, Error> {
    let Streams { stdin, outputs, .. } = streams;
    let output = |(tag, file): (u8, File)| {
        let masked = mask.map(Masked::new);
        Output {
            file,
            tag,
            request,
            masked,
        }
    };
    let mut outputs: Vec<_> = (1..).zip(outputs).map(output).collect();
    thread::scope(|scope| {
        let feeder = stdin.map(|stdin| scope.spawn(move || feed(request, stdin)));
        let answer = pass_on(request, socket, pidfd, &mut outputs);
        request.close_input();
        if let Some(feeder) = feeder {
            feeder
                .join()
                .map_err(|_| Error::internal("the feeder of stdin panicked"))??;
        }
        answer
    })
}

fn pass_on(
    request: &RequestContext,
    socket: &UnixStream,
    pidfd: &OwnedFd,
    outputs: &mut [Output<'_>],
) -> Result<Answer, Error> {
    let mut open = vec![true; outputs.len()];
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut waiting = vec![
            PollFd::new(socket, PollFlags::IN),
            PollFd::from_borrowed_fd(request.cancel.fd(), PollFlags::IN),
        ];
        let places: Vec<usize> = (0..open.len()).filter(|place| open[*place]).collect();
        waiting.extend(
            places
                .iter()
                .map(|place| PollFd::from_borrowed_fd(outputs[*place].file.as_fd(), PollFlags::IN)),
        );
        match poll(&mut waiting, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing(|| "wait for output"),
        }
        let ready: Vec<bool> = waiting.iter().map(|one| !one.revents().is_empty()).collect();
        if ready[1] {
            kill(pidfd)?;
            return end_of(socket);
        }
        for (place, _) in places.iter().zip(&ready[2..]).filter(|(_, ready)| **ready) {
            open[*place] = match read_once(&mut outputs[*place], &mut buffer) {
                // Told while it waited for credit: the next round kills.
                Err(Error::Cancelled) => true,
                other => other? != Some(0),
            };
        }
        if ready[0] {
            let answer = end_of(socket)?;
            for output in outputs {
                drain(output, &mut buffer)?;
                output.end()?;
            }
            return Ok(answer);
        }
    }
}

fn end_of(socket: &UnixStream) -> Result<Answer, Error> {
    receive::<Answer>(socket)?
        .map(|(answer, _)| answer)
        .ok_or_else(|| Error::internal("the supervisor is gone"))
}

/// Far more than a pipe holds. Source: the kernel's default of sysctl fs.pipe-max-size is 1 MiB.
const MOST_LEFT: usize = 4 * 1024 * 1024;

/// Everything was written when the last process died. The pipe itself may live on, where a program handed it out of the container: to one that
/// writes for ever, perhaps.
fn drain(output: &mut Output<'_>, buffer: &mut [u8]) -> Result<(), Error> {
    let mut left = MOST_LEFT;
    while let Some(count) = read_once(output, buffer)?.filter(|count| *count > 0 && left > 0) {
        left = left.saturating_sub(count);
    }
    Ok(())
}

/// `None` when there is nothing now, 0 at the end.
fn read_once(output: &mut Output<'_>, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
    match output.file.read(buffer) {
        Ok(count) => {
            output.send(&buffer[..count])?;
            Ok(Some(count))
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        // So a terminal says that nobody has it open any more.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(Some(0)),
        Err(error) => Err(error).doing(|| "read output"),
    }
}

/// The builder's data frames into stdin, until an empty one, or until the program no longer reads.
fn feed(request: &RequestContext, mut stdin: File) -> Result<(), Error> {
    loop {
        let bytes = match request.receive_data() {
            Ok(bytes) => bytes,
            Err(Error::Cancelled) => return Ok(()),
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(());
        }
        match write_all(&mut stdin, &bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::EIO)) => return swallow(request),
            Err(error) => return Err(error).doing(|| "write to stdin"),
        }
    }
}

/// A terminal is set up not to block, and takes no more than a few lines before the program reads them.
fn write_all(file: &mut File, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let mut waiting = [PollFd::new(file, PollFlags::OUT)];
                poll(&mut waiting, None)?;
                if waiting[0].revents().contains(PollFlags::HUP) {
                    return Err(std::io::Error::from_raw_os_error(libc::EIO));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the program does not want is still granted, so that the builder's sender does not hang.
fn swallow(request: &RequestContext) -> Result<(), Error> {
    loop {
        match request.receive_data() {
            Ok(bytes) if bytes.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(Error::Cancelled) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
