//! Problems of a license file. No message quotes the file.

use serde::{Serialize, Serializer};

/// The size limit of a file. License files of many products have about ten thousand bytes.
pub const LARGEST_FILE: usize = 1024 * 1024;
/// The length limit of a SERVER or VENDOR line with its continuations. Other lines may be longer.
pub(crate) const LONGEST_LINE: usize = 4096;
/// The maximum number of SERVER lines, and of VENDOR lines.
pub(crate) const MAX_LINES: usize = 64;

/// A line as the resource of a finding.
pub(crate) fn line(number: usize) -> String {
    format!("line {number}")
}

/// A problem, and where it is: why a file could not be read as a license file, or a line that the reader left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}{problem}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct LicenseError {
    /// The number of the line, if the error is about one line.
    pub line: Option<usize>,
    /// The problem.
    pub problem: Problem,
}

impl LicenseError {
    /// The remedy in one sentence.
    pub fn hint(&self) -> &'static str {
        self.problem.hint()
    }
}

/// A problem of a license file. It has no text of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is empty.
    #[error("the file is empty")]
    Empty,
    /// The file is too large for a license file.
    #[error("the file has more than {} KiB", LARGEST_FILE / 1024)]
    TooLarge,
    /// The file is of another kind.
    #[error("the file is {0}, not a license file")]
    OtherKind(&'static str),
    /// The file is text in UTF-16.
    #[error("the file is text in UTF-16")]
    Utf16,
    /// The file has a byte that does not occur in text.
    #[error("the line has a byte that does not occur in text, so this is not a license file")]
    NotText,
    /// The file is text, but has no line of a license file.
    #[error("no line of the file belongs to a license file")]
    NotALicense,
    /// A line beyond the limit.
    #[error("the line has more than {LONGEST_LINE} bytes")]
    LineTooLong,
    /// More SERVER or VENDOR lines than any license has.
    #[error("the file has more than {MAX_LINES} SERVER lines, or more than {MAX_LINES} VENDOR lines")]
    TooManyLines,
    /// A quotation mark that is not closed.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// A SERVER line with other than ASCII characters.
    #[error("the SERVER line has a character that is not ASCII")]
    NotAscii,
    /// A placeholder where a path or a port belongs.
    #[error("the line still has a placeholder from a template")]
    Placeholder,
    /// A space that FlexNet does not accept.
    #[error("the line has a space that FlexNet does not accept, such as a no-break space")]
    OddBlank,
    /// Two merged lines.
    #[error("the line runs into another line of the license")]
    LinesJoined,
    /// A SERVER line without a host.
    #[error("the SERVER line has no host")]
    NoHost,
    /// A SERVER line with an invalid host.
    #[error("the host of the SERVER line is neither a host name nor an IP address")]
    WrongHost,
    /// A SERVER line without a hostid.
    #[error("the SERVER line has no hostid")]
    NoHostid,
    /// A SERVER line with an invalid port.
    #[error("the port of the SERVER line is not a number from 1 to 65535")]
    WrongServerPort,
    /// A VENDOR line without a name.
    #[error("the VENDOR line does not name a vendor daemon")]
    NoVendorName,
    /// A VENDOR line with an invalid name.
    #[error("the name on the VENDOR line is not a valid name of a vendor daemon")]
    WrongVendorName,
    /// A VENDOR line with an invalid port.
    #[error("the port of the VENDOR line is not a number from 1 to 65535")]
    WrongVendorPort,
    /// An option without its value.
    #[error("an option of the VENDOR line has no value")]
    NoValue,
    /// A repeated option.
    #[error("the VENDOR line names its options file or its port twice")]
    SaidTwice,
    /// More words than a VENDOR line has.
    #[error("the VENDOR line has more than a name, a path, an options file and a port")]
    TooManyWords,
}

impl Problem {
    /// The remedy in one sentence.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Empty => "Save the license file again from the vendor's mail.",
            Self::TooLarge => "Use the license file itself, which is much smaller.",
            Self::Utf16 => "Save the file as plain text in UTF-8, which FlexNet can read.",
            Self::OtherKind(_) | Self::NotText | Self::NotALicense => {
                "Use the text file that the vendor sent. It has lines that begin with SERVER and VENDOR."
            }
            Self::LineTooLong => "Check whether line breaks were lost when the file was saved.",
            Self::TooManyLines => "Use the license file of one token server.",
            Self::OpenQuote => "Close the quotation mark on the same line, or remove it.",
            Self::NotAscii => {
                "Type the line again, in ASCII only: a copied line often has dashes or quotation marks that only look like \
                 ASCII."
            }
            Self::OddBlank => {
                "Write plain spaces, or save the file from the vendor's mail instead of copying its text."
            }
            Self::LinesJoined => {
                "Restore the line break that was lost, or remove the backslash at the end of the line."
            }
            Self::NoHost | Self::WrongHost | Self::NoHostid => {
                "A SERVER line has a host, a hostid and a port, as in SERVER license.example.com 0273ae2adc81 27007 for port 27007."
            }
            Self::WrongServerPort => {
                "Write the port as a bare number after the hostid, as in SERVER license.example.com 0273ae2adc81 27007 for port 27007."
            }
            Self::NoVendorName | Self::WrongVendorName | Self::WrongVendorPort => {
                "A VENDOR line has the name of the vendor daemon and a port, as in VENDOR MOSEKLM port=27008 for port 27008."
            }
            Self::NoValue => "Write the option without spaces around the equals sign, as in port=27008 for port 27008.",
            Self::SaidTwice => "Keep only the correct one.",
            Self::Placeholder => "Write the path or the port in its place, or remove it.",
            Self::TooManyWords => "Put a path that contains spaces in quotation marks.",
        }
    }

    pub(crate) fn at(self, line: usize) -> LicenseError {
        LicenseError { line: Some(line), problem: self }
    }
}

impl From<Problem> for LicenseError {
    fn from(problem: Problem) -> Self {
        Self { line: None, problem }
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
