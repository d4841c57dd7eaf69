//! What can go wrong, and the code by which the builder knows it. `code()` is part of the protocol: src/diagnostics/codes.ts lists them all.

use std::fmt;
use std::io;

use crate::protocol::WorkerError;

/// An error of a request. Messages are lower case, without a full stop, values in quotes.
#[derive(Debug)]
pub enum Error {
    /// Something that the user can act on: code, message, and what to do next if we know.
    User {
        code: &'static str,
        message: String,
        hint: Option<String>,
    },
    /// COPY_SOURCE_MISSING has more to tell.
    SourceMissing(Box<SourceMissing>),
    /// The kernel refused something that should have worked: what was tried, and the answer.
    System { doing: String, source: io::Error },
    /// A message or a state that should not be: a defect of ours.
    Internal(String),
    /// As another process of ours reported it.
    Relayed(Box<WorkerError>),
    /// The builder asked for the end.
    Cancelled,
}

/// What a source of COPY, ADD or a bind mount is missing for.
#[derive(Debug, Default)]
pub struct SourceMissing {
    pub message: String,
    pub hint: Option<String>,
    /// Which of a copy's selections, where it has several.
    pub selection: usize,
    /// The place of the pattern in `sources`.
    pub source: usize,
    /// The line of the ignore rule that took it.
    pub ignored_by: Option<usize>,
    /// Names that do exist and are near.
    pub similar: Vec<String>,
}

impl Error {
    pub fn user(code: &'static str, message: impl Into<String>) -> Self {
        Self::User {
            code,
            message: message.into(),
            hint: None,
        }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::User { code, message, .. } => Self::User {
                code,
                message,
                hint: Some(text.into()),
            },
            other => other,
        }
    }

    pub fn code(&self) -> &str {
        match self {
            Self::User { code, .. } => code,
            Self::SourceMissing(_) => "COPY_SOURCE_MISSING",
            // A full disk or a store that cannot be read is the machine's, not ours.
            Self::System { source, .. } if is_store_failure(source) => "STORE_FAILED",
            Self::System { .. } | Self::Internal(_) => "INTERNAL",
            Self::Relayed(error) => &error.code,
            Self::Cancelled => "CANCELLED",
        }
    }

    pub fn to_wire(&self) -> WorkerError {
        if let Self::Relayed(error) = self {
            return (**error).clone();
        }
        let mut wire = WorkerError {
            code: self.code().to_owned(),
            message: self.to_string(),
            ..WorkerError::default()
        };
        match self {
            Self::User { hint, .. } => wire.hint.clone_from(hint),
            Self::SourceMissing(missing) => {
                wire.hint.clone_from(&missing.hint);
                wire.selection = Some(missing.selection).filter(|&selection| selection > 0);
                wire.source = Some(missing.source);
                wire.ignored_by = missing.ignored_by;
                wire.similar = Some(missing.similar.clone());
            }
            Self::System { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                wire.hint = Some(FULL_DISK.to_owned());
            }
            Self::System { .. } | Self::Internal(_) | Self::Relayed(_) | Self::Cancelled => {}
        }
        wire
    }
}

const FULL_DISK: &str = "the disk is full: make room (\"cooper prune\" removes what no image needs), or put the store elsewhere with --root";

fn is_store_failure(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | ReadOnlyFilesystem | QuotaExceeded)
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { message, .. } | Self::Internal(message) => formatter.write_str(message),
            Self::SourceMissing(missing) => formatter.write_str(&missing.message),
            Self::System { doing, source } => write!(formatter, "{doing}: {source}"),
            Self::Relayed(error) => formatter.write_str(&error.message),
            Self::Cancelled => formatter.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Says what was tried when a call fails: `open(path).doing(|| format!("open {path:?}"))?`.
pub trait Doing<T> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Error> {
        self.map_err(|error| Error::System {
            doing: what().into(),
            source: error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_the_code_that_the_builder_knows() {
        let system = |errno: rustix::io::Errno| Error::System {
            doing: String::new(),
            source: errno.into(),
        };
        for (error, code) in [
            (Error::user("USER_NOT_FOUND", "x"), "USER_NOT_FOUND"),
            (system(rustix::io::Errno::NOSPC), "STORE_FAILED"),
            (system(rustix::io::Errno::INVAL), "INTERNAL"),
            (Error::Cancelled, "CANCELLED"),
        ] {
            assert_eq!(error.code(), code);
        }
    }
}
