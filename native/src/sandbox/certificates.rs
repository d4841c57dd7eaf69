//! Certificates of authorities that the user adds to a container's (`--ca-certificates`). The image's bundles are written anew before the
//! program starts, in the upper directory, and put back after it: a program finds plain files, which it may replace as `update-ca-certificates`
//! does. A copy with the image's authorities and the user's lies at a place of its own, for programs that read a variable.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, fstat, futimens, readlinkat,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Doing, Error};
use crate::protocol::Certificates;
use crate::resolve::openat2;

use super::chroot::{self, Places};
use super::files::Files;
use super::mounts::Prepared;
use super::spec::{self, Stubs, Touched};
use super::stub;

/// Where distributions have their bundle: Debian, Alpine, Arch; Fedora; openSUSE; what OpenSSL has by itself.
const PLACES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
];
const OWN_NAME: &str = "ca-certificates.crt";
const OWN_PLACE: &str = "/run/cooper/ca-certificates.crt";
/// Variables that name a bundle in the place of the usual one: OpenSSL, curl, Python, git, AWS, Cargo, Nix.
const REPLACING: [&str; 8] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
];
/// Variables that name more authorities: Node and Deno.
const ADDING: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// No bundle is longer, also with ours.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What was done to a root filesystem for one program.
pub struct Installed {
    bundles: Vec<Bundle>,
    touched: Vec<Touched>,
    own: Vec<u8>,
    /// Whether `own` can stand for the usual bundle.
    whole: bool,
}

/// A bundle of the image.
struct Bundle {
    /// Relative to the root, without symlinks.
    path: String,
    original: Vec<u8>,
    /// What was written behind it.
    added: Vec<u8>,
    /// As it lies in the upper directory.
    written: Touched,
}

/// Writes them into the image's bundles. `root`: the container's, whose upper directory is `upper`.
pub fn install(wanted: &Certificates, root: BorrowedFd<'_>, upper: &OwnedFd) -> Result<Installed, Error> {
    let mut installed = Installed {
        bundles: Vec::new(),
        touched: Vec::new(),
        own: Vec::new(),
        whole: false,
    };
    let (mut seen, mut parents) = (HashSet::new(), BTreeSet::new());
    for place in PLACES {
        let Some((path, stat)) = find(root, place)? else {
            continue;
        };
        if !seen.insert((stat.st_dev, stat.st_ino)) {
            continue;
        }
        let original = read(
            open(root, &path, OFlags::RDONLY).doing(|| format!("open \"{place}\" of the image"))?,
            place,
        )?;
        let added = missing(&original, &wanted.added);
        if installed.own.is_empty() {
            installed.own = [&original[..], &added].concat();
        }
        if added.is_empty() {
            continue;
        }
        write(root, &path, &[&original[..], &added].concat(), &stat)?;
        for (end, _) in path.match_indices('/') {
            if parents.insert(path[..end].to_owned()) {
                installed.touched.push(as_it_is(upper, &path[..end])?);
            }
        }
        let written = as_it_is(upper, &path)?;
        installed.bundles.push(Bundle {
            path,
            original,
            added,
            written,
        });
    }
    installed.whole = !installed.own.is_empty() || !wanted.usual.is_empty();
    if installed.own.is_empty() {
        let usual = wanted.usual.as_bytes();
        installed.own = [usual, &missing(usual, &wanted.added)].concat();
    }
    Ok(installed)
}

/// A bundle's path without symlinks, relative to the root, and what is there. `None` where the image has none. Nothing is opened for it but its
/// place: it may be a device.
fn find(root: BorrowedFd<'_>, place: &str) -> Result<Option<(String, Stat)>, Error> {
    let doing = || format!("find \"{place}\" of the image");
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = match openat2(root, place, PLACE, Mode::empty(), resolve) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(None),
        Err(error) => return Err(error).doing(doing),
    };
    let name = |place: BorrowedFd<'_>| {
        let link = readlinkat(CWD, format!("/proc/self/fd/{}", place.as_raw_fd()), Vec::new()).doing(doing)?;
        link.into_string()
            .map_err(|_| Error::user("UNSUPPORTED", "the path of a bundle of certificates is not UTF-8"))
    };
    // Of a root that hangs nowhere the name is `/`.
    let (path, above) = (name(found.as_fd())?, name(root)?);
    let path = path
        .strip_prefix(&above)
        .unwrap_or(&path)
        .trim_start_matches('/')
        .to_owned();
    let stat = fstat(&found).doing(doing)?;
    Ok((FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some((path, stat)))
}

/// A file that is known to be one.
fn open(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> rustix::io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).map(File::from)
}

fn read(file: File, place: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .doing(|| format!("read \"{place}\" of the image"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::user(
            "UNSUPPORTED",
            format!("\"{place}\" is too long for a bundle of certificates"),
        ));
    }
    Ok(bytes)
}

fn write(root: BorrowedFd<'_>, path: &str, bytes: &[u8], before: &Stat) -> Result<(), Error> {
    let doing = || format!("add certificates to \"/{path}\"");
    let mut file = open(root, path, OFlags::WRONLY | OFlags::TRUNC).doing(doing)?;
    file.write_all(bytes).doing(doing)?;
    futimens(&file, &modified_at(before)).doing(doing)
}

fn modified_at(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT as _,
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: stat.st_mtime_nsec as _,
        },
    }
}

fn as_it_is(upper: &OwnedFd, path: &str) -> Result<Touched, Error> {
    let stat = statat(upper, path, AtFlags::SYMLINK_NOFOLLOW).doing(|| format!("stat \"/{path}\" of a snapshot"))?;
    Ok(Touched {
        path: path.to_owned(),
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: (stat.st_mtime, stat.st_mtime_nsec as i64),
    })
}

/// The certificates of `wanted` that `bundle` has not, to be written behind it.
fn missing(bundle: &[u8], wanted: &str) -> Vec<u8> {
    let bundle = String::from_utf8_lossy(bundle);
    let there: HashSet<String> = blocks(&bundle).map(bare).collect();
    let new: Vec<_> = blocks(wanted).filter(|block| !there.contains(&bare(block))).collect();
    if new.is_empty() {
        return Vec::new();
    }
    let gap = if bundle.is_empty() || bundle.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{gap}{}\n", new.join("\n")).into_bytes()
}

/// Each `-----BEGIN CERTIFICATE-----` to its end.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(BEGIN)
        .filter_map(|(start, _)| text[start..].find(END).map(|end| &text[start..start + end + END.len()]))
}

/// Lines may be broken in several ways.
fn bare(block: &str) -> String {
    block.split_whitespace().collect()
}

impl Installed {
    /// Shows the copy at its own place.
    pub fn show(&self, mounts: &mut Prepared<'_>) -> Result<(), Error> {
        let files = Files::new(false, mounts.is_shifted())?;
        files.write(OWN_NAME, &self.own, 0o644, (0, 0))?;
        mounts.descriptors.push(files.mount);
        mounts.list.push(spec::Mount {
            descriptor: mounts.descriptors.len() - 1,
            within: Some(format!("/{OWN_NAME}")),
            target: OWN_PLACE.to_owned(),
            readonly: true,
            device: None,
        });
        Ok(())
    }

    /// The same where nothing can be mounted.
    pub fn place(&self, places: &mut Places<'_>) -> Result<(), Error> {
        chroot::file(places, OWN_PLACE, &self.own, 0o644, (0, 0))
    }

    /// Variables that name the copy, those aside that the step has of its own.
    pub fn variables(&self, env: &[String]) -> Vec<String> {
        let given = |name: &str| env.iter().any(|variable| variable.split('=').next() == Some(name));
        let replacing = REPLACING.iter().filter(|_| self.whole);
        replacing
            .chain(&ADDING)
            .filter(|name| !given(name))
            .map(|name| format!("{name}={OWN_PLACE}"))
            .collect()
    }

    /// Takes ours out of all bundles, and gives the paths of those that are as they were before; where only what was written lies in `upper`
    /// (`alone`), they go from there.
    pub fn withdraw(self, upper: &OwnedFd, alone: bool) -> Result<Vec<String>, Error> {
        let mut restored = Vec::new();
        for bundle in self.bundles {
            if bundle.withdraw(upper)? {
                if alone {
                    bundle.remove(upper)?;
                }
                restored.push(bundle.path);
            }
        }
        let (made, touched) = (Vec::new(), self.touched);
        if alone {
            stub::remove(upper, &Stubs { made, touched })?;
        }
        Ok(restored)
    }
}

impl Bundle {
    /// `true`: nothing else was changed. The program may have put anything there: nothing is followed, and only a file is looked into.
    fn withdraw(&self, upper: &OwnedFd) -> Result<bool, Error> {
        let doing = || format!("take certificates out of \"/{}\"", self.path);
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let stat = match openat2(upper, &self.path, PLACE, Mode::empty(), resolve) {
            Ok(place) => fstat(&place).doing(doing)?,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(error) => return Err(error).doing(doing),
        };
        // A whiteout, a device or something huge is nothing of ours.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_size as u64 > MOST_BYTES {
            return Ok(false);
        }
        let mut file = open(upper.as_fd(), &self.path, OFlags::RDWR).doing(doing)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).doing(doing)?;
        let Some(start) = position(&bytes, &self.added) else {
            return Ok(false);
        };
        bytes.drain(start..start + self.added.len());
        file.rewind().doing(doing)?;
        file.set_len(0).doing(doing)?;
        file.write_all(&bytes).doing(doing)?;
        futimens(&file, &modified_at(&stat)).doing(doing)?;
        Ok(bytes == self.original && stat.st_nlink == 1 && stub::unchanged(&stat, &self.written))
    }

    fn remove(&self, upper: &OwnedFd) -> Result<(), Error> {
        let Some(parent) = stub::open_parent(upper, &self.path)? else {
            return Ok(());
        };
        let before = fstat(&parent).doing(|| "stat a directory")?;
        let name = self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name);
        unlinkat(&parent, name, AtFlags::empty()).doing(|| format!("remove \"{}\" of a snapshot", self.path))?;
        futimens(&parent, &modified_at(&before)).doing(|| "set the time of a directory")
    }
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> String {
        format!("{BEGIN}\n{name}\n{END}")
    }

    #[test]
    fn only_what_a_bundle_lacks_is_added() {
        let [a, b, c] = ["A", "B", "C"].map(certificate);
        for (bundle, wanted, want) in [
            (format!("{a}\n{b}\n"), format!("{b}\n# mine\n{c}\n"), format!("{c}\n")),
            (a.clone(), b.clone(), format!("\n{b}\n")),
            (format!("{BEGIN}\r\nA\r\n{END}\r\n"), a.clone(), String::new()),
            (String::new(), format!("{a}{b}"), format!("{a}\n{b}\n")),
            (a.clone(), "no certificate".to_owned(), String::new()),
        ] {
            assert_eq!(
                String::from_utf8(missing(bundle.as_bytes(), &wanted)).unwrap(),
                want,
                "{bundle:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn variables_of_the_step_stay_and_a_part_never_stands_for_a_bundle() {
        let installed = |whole| Installed {
            bundles: Vec::new(),
            touched: Vec::new(),
            own: Vec::new(),
            whole,
        };
        let env = ["PATH=/bin".to_owned(), "CURL_CA_BUNDLE=/mine".to_owned()];
        let all = installed(true).variables(&env);
        assert!(all.contains(&format!("SSL_CERT_FILE={OWN_PLACE}")) && all.len() == REPLACING.len() + ADDING.len() - 1);
        assert_eq!(installed(false).variables(&env).len(), ADDING.len());
    }
}
