//! The files that an exercise writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::wishes::Wishes;
use crate::ended::Trouble;

/// The files of an exercise.
pub(super) struct Outputs<'a> {
    pub(super) svg: Output<'a>,
    pub(super) record: Output<'a>,
}

impl<'a> Outputs<'a> {
    /// Shows that the files can be written, so that a mistake in a path costs nothing. It changes none of them.
    pub(super) fn prepare(wishes: &'a Wishes) -> Result<Self, Trouble> {
        let (svg, record) = (wishes.svg.as_deref(), wishes.record.as_deref());
        if let Some((_, record)) = svg.zip(record).filter(|(svg, record)| is_same_file(svg, record)) {
            let problem = format!("--svg and --record name the same file: {}", record.display());
            return Err(Trouble::new(problem, NOTHING_CHANGED));
        }
        Ok(Self { svg: Output::prepare(svg)?, record: Output::prepare(record)? })
    }
}

const NOTHING_CHANGED: &str = "Nothing was changed.";

/// A file for a result, or none. It stays as it is until the result is written.
pub(super) struct Output<'a>(Option<(&'a Path, Way)>);

/// How a result gets into its file.
enum Way {
    /// It is written into another file in the same folder, which then takes the name. The file is never half written.
    Replace,
    /// It is written into this file, which cannot be replaced, such as a device or the end of a link.
    Into(File),
}

impl<'a> Output<'a> {
    fn prepare(path: Option<&'a Path>) -> Result<Self, Trouble> {
        let Some(path) = path else { return Ok(Self(None)) };
        let way = way_into(path)
            .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", path.display()), NOTHING_CHANGED))?;
        Ok(Self(Some((path, way))))
    }

    /// Writes the result.
    pub(super) fn write(self, text: impl FnOnce() -> Result<String, Trouble>) -> Result<(), Trouble> {
        let Some((path, way)) = self.0 else { return Ok(()) };
        let text = text()?;
        let written = match way {
            Way::Replace => replace(path, &text),
            Way::Into(file) => overwrite(file, &text),
        };
        written.map_err(|error| Trouble::new(format!("{} could not be written: {error}", path.display()), ""))
    }
}

/// How this file can be written. Afterwards, the folder is as before.
fn way_into(path: &Path) -> io::Result<Way> {
    match fs::symlink_metadata(path) {
        Ok(seen) => {
            let file = OpenOptions::new().write(true).open(path)?;
            let is_replaceable = seen.is_file() && try_new(&beside(path)).is_ok();
            Ok(if is_replaceable { Way::Replace } else { Way::Into(file) })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => try_new(path).map(|()| Way::Replace),
        Err(error) => Err(error),
    }
}

/// Creates the file, and removes it at once.
fn try_new(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    fs::remove_file(path)
}

/// A file in the same folder, with a name that nothing has.
fn beside(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    path.with_file_name(format!(".token-failover-{}-{}", std::process::id(), now.as_nanos()))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = beside(path);
    let mut file = File::create_new(&beside)?;
    let replaced = (|| {
        file.write_all(text.as_bytes())?;
        if let Ok(earlier) = fs::metadata(path) {
            fs::set_permissions(&beside, earlier.permissions())?;
        }
        fs::rename(&beside, path)
    })();
    if replaced.is_err() {
        // The error is that of the file itself.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

fn overwrite(mut file: File, text: &str) -> io::Result<()> {
    // A device has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

/// Whether both results would go into one file. A device takes both.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let is_device = fs::metadata(one).is_ok_and(|seen| !seen.is_file());
    !is_device && place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

/// The path without links; `None`: its folder does not exist.
fn place(path: &Path) -> Option<PathBuf> {
    if let Ok(place) = fs::canonicalize(path) {
        return Some(place);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}
