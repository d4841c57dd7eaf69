//! Archives that are small and ask for much: each ends with an error before it has what it asks for.

use super::Scratch;
use crate::error::Error;
use crate::index::entry::{Entry, Kind, Meta};
use crate::layer::budget::{Budget, MAX_ENTRIES};
use crate::layer::content::Content;
use crate::layer::extract::{Extract, Lower};
use crate::layer::tar_read::Header;

/// Adds `header(0)`, `header(1)`, … until one is refused; gives its number and the message.
fn until_refused(lower: &dyn Lower, most: usize, header: impl Fn(usize) -> Header) -> (usize, String) {
    let mut extract = Extract::new(None, lower);
    for number in 0..most {
        if let Err(error) = extract.add(header(number), &mut |_| Ok(())) {
            return (number, error.to_string());
        }
    }
    (most, String::new())
}

fn header(path: String, kind: Kind) -> Header {
    let meta = Meta::new(kind, 0o644);
    Header {
        path: path.into_bytes(),
        meta,
        offset: 512,
    }
}

#[test]
fn entries_have_a_limit() {
    let mut budget = Budget::default();
    assert!((0..MAX_ENTRIES).all(|_| budget.take(0).is_ok()));
    assert!(budget.take(0).is_err());
}

#[test]
fn attributes_have_a_limit() {
    let (number, message) = until_refused(&Scratch, 1000, |number| {
        let mut header = header(format!("f{number}"), Kind::File);
        header.meta.xattrs = (0..16)
            .map(|each| (format!("user.{each}").into_bytes(), vec![b'x'; 64 * 1024]))
            .collect();
        header
    });
    assert_eq!(
        message,
        "the archive has too many entries, or too long names and attributes"
    );
    assert!((200..=256).contains(&number), "{number}");
}

/// One path of 4 KB passes through two thousand directories, whose names have 4 MB together.
#[test]
fn directories_that_are_passed_through_count() {
    let (number, message) = until_refused(&Scratch, 1000, |number| {
        header(format!("{number}/{}f", "d/".repeat(2000)), Kind::File)
    });
    assert_eq!(
        message,
        "the archive has too many entries, or too long names and attributes"
    );
    assert!(number < 100, "{number}");
}

/// The file of a lower layer that a header of 512 bytes copies.
struct Large;

impl Lower for Large {
    fn stat(&self, at: &[u8]) -> Result<Option<Entry>, Error> {
        let mut meta = Meta::new(Kind::File, 0o644);
        meta.size = 1 << 30;
        Ok((at == b"large").then(|| Entry::new(at.to_vec(), meta)))
    }

    fn content(&self, _: &[u8]) -> Result<Content, Error> {
        Ok(Content::None)
    }
}

#[test]
fn copies_of_files_below_have_a_limit() {
    let (number, message) = until_refused(&Large, 1000, |number| {
        let mut header = header(format!("copy{number}"), Kind::Hardlink);
        header.meta.link = b"large".to_vec();
        header
    });
    assert_eq!(message, "the archive has too many hard links to files of lower layers");
    assert_eq!(number, 4);
}

/// A file with many names whose names are replaced one after the other: each time the next name gets the content.
#[test]
fn names_that_inherit_one_after_the_other_have_a_limit() {
    let names = 2500;
    let (number, message) = until_refused(&Scratch, 2 * names + 1, |number| match number {
        0 => header("f".to_owned(), Kind::File),
        number if number <= names => {
            let mut link = header(format!("l{number:05}"), Kind::Hardlink);
            link.meta.link = b"f".to_vec();
            link
        }
        number if number == names + 1 => header("f".to_owned(), Kind::Fifo),
        number => header(format!("l{:05}", number - names - 1), Kind::Fifo),
    });
    assert_eq!(
        message,
        "the archive has too many entries, or too long names and attributes"
    );
    assert!(number > names, "{number}");
}
