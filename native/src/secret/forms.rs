//! The forms in which a secret's bytes may turn up: as they are, base64 wherever it begins in what was encoded, encoded for URLs, escaped for
//! JSON, in hex.

use std::collections::HashSet;

/// Shorter ones are found everywhere by chance.
pub const LEAST_BYTES: usize = 8;
/// Of a longer secret only so much is masked in logs, and looked for in documents.
const HEAD_BYTES: usize = 16 * 1024;
/// A secret of more lines is masked as a whole only.
const MOST_LINES: usize = 256;

/// How `base64` and OpenSSL break their lines.
const LINE_LENGTHS: [usize; 2] = [76, 64];

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What URL encoders leave as it is besides letters and digits: encodeURIComponent, application/x-www-form-urlencoded (where a space is
/// a `+`), RFC 3986, and the same within a path.
const URL_SETS: [(&[u8], bool); 4] = [
    (b"-_.!~*'()", false),
    (b"*-._", true),
    (b"-._~", false),
    (b"-._~/", false),
];

/// One way to write a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// For messages: ` as base64`, or nothing.
    pub how: &'static str,
    pub bytes: Vec<u8>,
    /// Encoders break this into lines.
    pub broken: bool,
}

/// What of a value is searched for: all of it but a closing line break, which files have and what is made of them has not. None where that
/// is too short.
pub fn searched_part(value: &[u8]) -> Option<&[u8]> {
    let trimmed = value.strip_suffix(b"\n").unwrap_or(value);
    let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
    [trimmed, value].into_iter().find(|part| part.len() >= LEAST_BYTES)
}

/// The beginning of a long value, else all of it.
pub fn head(value: &[u8]) -> &[u8] {
    &value[..value.len().min(HEAD_BYTES)]
}

/// All forms of a value, each once.
pub fn forms(value: &[u8]) -> Vec<Form> {
    let mut all = Forms::default();
    all.add("", value.to_vec(), false);
    for alphabet in [STANDARD, URL_SAFE] {
        for shift in 0..3 {
            all.add(" as base64", base64(value, alphabet, shift), true);
        }
    }
    for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
        for (kept, plus) in URL_SETS {
            all.add(" encoded for a URL", percent(value, kept, plus, digits), false);
        }
        all.add(" in hex", hex(value, digits), true);
    }
    if let Ok(text) = str::from_utf8(value) {
        let escaped = json(text);
        all.add(" escaped for JSON", ascii(&escaped).into_bytes(), false);
        all.add(" escaped for JSON", escaped.replace('/', "\\/").into_bytes(), false);
        all.add(" escaped for JSON", escaped.into_bytes(), false);
    }
    all.list
}

/// What of a value stands on a line of its own, in logs: its lines, and those of its base64. Lines that say nothing are left out.
pub fn lines(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let own = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let own: Vec<Vec<u8>> = own.filter(|line| tells(line)).map(<[u8]>::to_vec).collect();
    if own.len() <= MOST_LINES {
        all.extend(own);
    }
    for (alphabet, shift) in [STANDARD, URL_SAFE]
        .into_iter()
        .flat_map(|alphabet| (0..3).map(move |shift| (alphabet, shift)))
    {
        all.extend(closing(value, alphabet, shift));
    }
    let whole = base64(value, STANDARD, 0);
    for length in LINE_LENGTHS {
        if whole.len() > length && whole.len() / length < MOST_LINES {
            all.extend(whole.chunks(length).filter(|line| tells(line)).map(<[u8]>::to_vec));
        }
    }
    all
}

/// The frame of a PEM file is in all of them.
fn tells(line: &[u8]) -> bool {
    line.len() >= LEAST_BYTES && !line.starts_with(b"-----")
}

#[derive(Default)]
struct Forms {
    list: Vec<Form>,
    seen: HashSet<Vec<u8>>,
}

impl Forms {
    fn add(&mut self, how: &'static str, bytes: Vec<u8>, broken: bool) {
        if self.seen.insert(bytes.clone()) {
            self.list.push(Form { how, bytes, broken });
        }
    }
}

/// The characters that stand for these bytes alone when `shift` bytes come before them, whatever those are and whatever follows.
fn base64(value: &[u8], alphabet: &[u8; 64], shift: usize) -> Vec<u8> {
    let first = (shift * 8).div_ceil(6);
    let last = (shift + value.len()) * 8 / 6;
    let bit = |at: usize| value[at / 8 - shift] >> (7 - at % 8) & 1;
    let character = |at: usize| (at * 6..at * 6 + 6).fold(0, |bits, at| bits << 1 | usize::from(bit(at)));
    (first..last).map(|at| alphabet[character(at)]).collect()
}

/// The same where nothing follows: the last character tells something too, and the padding of a length.
fn closing(value: &[u8], alphabet: &[u8; 64], shift: usize) -> Vec<Vec<u8>> {
    let padding = (3 - (shift + value.len()) % 3) % 3;
    if padding == 0 {
        return Vec::new();
    }
    let filled = [value, &[0; 2][..padding]].concat();
    let text = base64(&filled, alphabet, shift);
    let last = text.len() - padding;
    let bare = text[..last].to_vec();
    vec![[bare.as_slice(), &b"=="[..padding]].concat(), bare]
}

fn percent(value: &[u8], kept: &[u8], plus: bool, digits: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() * 3);
    for &byte in value {
        match byte {
            b' ' if plus => out.push(b'+'),
            byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => out.push(byte),
            byte => {
                out.push(b'%');
                out.extend_from_slice(&hex(&[byte], digits));
            }
        }
    }
    out
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let pair = |&byte: &u8| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
    value.iter().flat_map(pair).collect()
}

/// As it stands in a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As encoders write it that keep to ASCII.
fn ascii(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose;

    use super::*;

    fn texts(value: &[u8]) -> Vec<String> {
        let text = |form: Form| String::from_utf8(form.bytes).unwrap();
        forms(value).into_iter().map(text).collect()
    }

    /// What Python's `urllib.parse`, `json` and `binascii` give for these, and JavaScript's encodeURIComponent.
    #[test]
    fn each_form_is_what_its_encoder_writes() {
        let all = texts("pä \"/+:~'x\n7".as_bytes());
        for form in [
            "p%C3%A4%20%22%2F%2B%3A~'x%0A7",
            "p%C3%A4+%22%2F%2B%3A%7E%27x%0A7",
            "p%c3%a4+%22%2f%2b%3a%7e%27x%0a7",
            "p%C3%A4%20%22%2F%2B%3A~%27x%0A7",
            "p%C3%A4%20%22/%2B%3A~%27x%0A7",
            "pä \\\"/+:~'x\\n7",
            "p\\u00e4 \\\"/+:~'x\\n7",
            "70c3a420222f2b3a7e27780a37",
            "70C3A420222F2B3A7E27780A37",
        ] {
            assert!(all.iter().any(|one| one == form), "{form}: {all:?}");
        }
    }

    #[test]
    fn base64_is_found_wherever_it_begins_and_ends() {
        let value = b"\xfb\xff\xbf secret \xfb\xff";
        let all = forms(value);
        for engine in [general_purpose::STANDARD, general_purpose::URL_SAFE_NO_PAD] {
            for before in 0..7 {
                for after in 0..7 {
                    let whole = [&vec![0xa5; before], value.as_slice(), &vec![0x5a; after]].concat();
                    let encoded = engine.encode(whole);
                    let found = all
                        .iter()
                        .filter(|form| form.how == " as base64")
                        .any(|form| encoded.contains(str::from_utf8(&form.bytes).unwrap()));
                    assert!(found, "{before} {after}");
                }
            }
        }
    }

    #[test]
    fn a_plain_word_has_few_forms_and_none_is_short() {
        let all = forms(b"hunter22");
        assert_eq!(all.len(), 6, "{all:?}");
        assert!(all.iter().all(|form| form.bytes.len() >= LEAST_BYTES));
    }

    #[test]
    fn a_closing_line_break_is_not_searched_for() {
        for (value, want) in [
            ("12345678\n", Some("12345678")),
            ("12345678\r\n", Some("12345678")),
            ("1234567\n", Some("1234567\n")),
            ("1234567", None),
            ("", None),
        ] {
            assert_eq!(searched_part(value.as_bytes()), want.map(str::as_bytes), "{value:?}");
        }
    }

    #[test]
    fn lines_are_those_that_tell_something() {
        let pem = format!("-----BEGIN KEY-----\n{}\nab\n-----END KEY-----", "x".repeat(64));
        let all = lines(pem.as_bytes());
        assert_eq!(all[0], "x".repeat(64).as_bytes());
        let encoded = general_purpose::STANDARD.encode(&pem);
        for line in [&encoded[..76], &encoded[64..128], &encoded[encoded.len() - 30..]] {
            assert!(all.iter().any(|one| one.ends_with(line.as_bytes())), "{line}");
        }
    }
}
