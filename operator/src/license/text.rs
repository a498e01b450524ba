//! A license file as text: its lines with their continuations, and the words of a line.
//!
//! `read_license` in `deploy/boot/token-server` finds lines and words by the same rules. A test reads every file with
//! both.

use crate::license::problem::{LARGEST_FILE, LicenseError, Problem};

/// The file as text, without a byte order mark. Bytes in an encoding other than UTF-8 become question marks later.
pub(crate) fn text(bytes: &[u8]) -> Result<String, LicenseError> {
    const OTHER_KINDS: [(&[u8], &str); 4] = [
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive or an Office document"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"{\\rtf", "an RTF document"),
    ];
    if bytes.len() > LARGEST_FILE {
        return Err(Problem::TooLarge.into());
    }
    if let Some((_, kind)) = OTHER_KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Problem::OtherKind(kind).into());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Problem::Utf16.into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // DOS ended text files with 0x1a.
    let is_text = |b: u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a | 0x20..=0x7e | 0x80..);
    if let Some(at) = bytes.iter().position(|b| !is_text(*b)) {
        let before = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default());
        return Err(Problem::NotText.at(physical_lines(&before).count()));
    }
    let text = String::from_utf8_lossy(bytes).replace('\x1a', " ");
    if text.trim().is_empty() { Err(Problem::Empty.into()) } else { Ok(text) }
}

/// The lines as an editor shows them, with the line endings of any system.
fn physical_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.trim_end_matches('\r').split('\r'))
}

/// A line with its continuations.
pub(crate) struct Line {
    /// The number of its first line.
    pub(crate) number: usize,
    pub(crate) text: String,
}

impl Line {
    fn is_comment(&self) -> bool {
        self.text.trim_ascii_start().starts_with('#')
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.is_comment() || self.text.trim().is_empty()
    }

    /// Whether the line has only this word, possibly in a comment or between dashes.
    pub(crate) fn is_marker(&self, word: &str) -> bool {
        let is_ornament = |c: char| c.is_ascii_whitespace() || matches!(c, '#' | '-' | '=' | '*');
        self.text.trim_matches(is_ornament).eq_ignore_ascii_case(word)
    }

    pub(crate) fn keyword(&self) -> &str {
        self.text.split_ascii_whitespace().next().unwrap_or_default()
    }
}

/// Joins lines that end in a backslash with the next line. A comment is not continued, because it may end in a path.
fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut continues = false;
    for (index, physical) in physical_lines(text).enumerate() {
        let whole = physical.trim_ascii_end();
        let continued = whole.strip_suffix('\\');
        match lines.last_mut() {
            Some(line) if continues => {
                line.text.push(' ');
                line.text.push_str(continued.unwrap_or(whole));
                continues = continued.is_some();
            }
            _ => {
                let line = Line { number: index + 1, text: continued.unwrap_or(whole).to_owned() };
                continues = continued.is_some() && !line.is_comment();
                lines.push(line);
            }
        }
    }
    lines
}

/// The lines that belong to the license: those between `START_LICENSE` and `END_LICENSE`, or all of a file without these
/// marks. The second value says whether there are marks.
pub(crate) fn license_lines(text: &str) -> (Vec<Line>, bool) {
    let lines = logical_lines(text);
    let has_marks = lines.iter().any(|line| line.is_marker("START_LICENSE"));
    let mut is_inside = !has_marks;
    let mut of_license = Vec::new();
    for line in lines {
        if line.is_marker("START_LICENSE") {
            is_inside = true;
        } else if line.is_marker("END_LICENSE") {
            is_inside = false;
        } else if is_inside && !line.is_blank() {
            of_license.push(line);
        }
    }
    (of_license, has_marks)
}

/// Splits a line at its spaces. Text between quotation marks stays together, without the marks. Text between `<` and `>`
/// is a placeholder of a template, and becomes `<>`.
pub(crate) fn words(line: &str) -> Result<Vec<String>, Problem> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for c in without_placeholders(line).chars() {
        if c == '"' {
            is_quoted = !is_quoted;
            word.get_or_insert_default();
        } else if c.is_whitespace() && !c.is_ascii() {
            return Err(Problem::OddBlank);
        } else if c.is_ascii_whitespace() && !is_quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(c);
        }
    }
    words.extend(word);
    if is_quoted { Err(Problem::OpenQuote) } else { Ok(words) }
}

fn without_placeholders(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        text.push('<');
        rest = match after.find(['<', '>']) {
            Some(end) if after.as_bytes().get(end) == Some(&b'>') => after.get(end..).unwrap_or_default(),
            _ => after,
        };
    }
    text + rest
}

pub(crate) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// Splits `KEY=value`. A path may have an equals sign, but not right after a single word.
pub(crate) fn key_and_value(word: &str) -> Option<(&str, &str)> {
    let is_key = |key: &str| {
        (1..=32).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    word.split_once('=').filter(|(key, _)| is_key(key))
}

pub(crate) fn is_key(word: &str, wanted: &str) -> bool {
    key_and_value(word).is_some_and(|(key, _)| key.eq_ignore_ascii_case(wanted))
}

pub(crate) fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

pub(crate) fn port(text: &str) -> Option<u16> {
    number(text).and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
}

/// The string with a question mark for every character that a terminal might interpret.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
