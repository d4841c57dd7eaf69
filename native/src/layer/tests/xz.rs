//! xz as xz itself writes it, with windows that can be had and others that nobody may ask for.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::layer::inflate::decoder;

/// What xz makes of bytes.
fn packed(plain: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut child = Command::new("xz")
        .args(["--compress", "--stdout"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(plain).unwrap());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    })
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let read = decoder(bytes).and_then(|mut decoder| decoder.read_to_end(&mut plain));
    read.map(|_| plain).map_err(|error| error.to_string())
}

/// Bytes that are the same each time: some that pack well, then some that do not pack at all.
fn sample() -> Vec<u8> {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    vec![7; 20_000].into_iter().chain(noise.take(70_000)).collect()
}

#[test]
fn what_xz_writes_is_read() {
    let plain = sample();
    for arguments in [
        &["-0"][..],
        &["-6"],
        &["--check=none"],
        &["--check=crc32"],
        &["--check=sha256"],
        &["--block-size=8000"],
        &["--threads=2", "--block-size=8000"],
        &["--x86", "--lzma2=preset=6"],
        &["--delta=dist=4", "--lzma2=dict=128MiB,mf=hc3"],
    ] {
        let packed = packed(&plain, arguments);
        assert!(unpacked(&packed).is_ok_and(|bytes| bytes == plain), "{arguments:?}");
        let twice = [&packed[..], &[0; 8], &packed].concat();
        assert!(
            unpacked(&twice).is_ok_and(|bytes| bytes == [&plain[..], &plain].concat()),
            "{arguments:?}, two of it"
        );
    }
    assert_eq!(unpacked(&packed(b"", &[])), Ok(Vec::new()));
}

/// Wherever the block is, nothing of it is read.
#[test]
fn windows_have_a_limit() {
    let large = packed(b"x", &["--lzma2=dict=129MiB,mf=hc3"]);
    let small = packed(&sample(), &["--block-size=8000"]);
    for before in [&[][..], &small, &[&small[..], &[0; 4]].concat()] {
        let refused = unpacked(&[before, &large].concat());
        assert_eq!(
            refused,
            Err("asks for a window of more than 128 MiB to be unpacked".to_owned())
        );
    }
}
