//! Why a program cannot be started, in words.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::nearest::nearest_program;

/// Why a program cannot be started.
#[derive(Debug)]
pub(crate) enum NotFound {
    /// Its name is empty, as a hole may be.
    Unnamed,
    InPath {
        program: String,
        searched: Vec<PathBuf>,
        nearest: Option<String>,
    },
    NoFile {
        path: PathBuf,
    },
    NotExecutable {
        path: PathBuf,
        mode: u32,
    },
    Directory {
        path: PathBuf,
    },
    /// The file, or a directory before it, is not ours to look at.
    Unreachable {
        path: PathBuf,
        error: io::Error,
    },
    NotBuilt {
        name: &'static str,
        manifest_dir: Option<&'static str>,
        searched: Vec<PathBuf>,
        nearest: Option<String>,
    },
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotFound::Unnamed => write!(f, "the name of the program is empty"),
            NotFound::InPath { program, .. } => write!(f, "program `{program}` is in no directory of PATH"),
            NotFound::NoFile { path } => write!(f, "program `{}` does not exist", path.display()),
            NotFound::NotExecutable { path, mode } => {
                write!(f, "program `{}` is not executable (mode {mode:04o})", path.display())
            }
            NotFound::Directory { path } => write!(f, "program `{}` is a directory", path.display()),
            NotFound::Unreachable { path, error } => {
                write!(f, "program `{}` cannot be reached: {}", path.display(), error.kind())
            }
            NotFound::NotBuilt { name, .. } => write!(f, "binary `{name}` is not built"),
        }
    }
}

impl NotFound {
    /// What else is known, as labelled lines below the first one.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            NotFound::InPath { searched, nearest, .. } => {
                let path = searched.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(":");
                [Some(("PATH", or_empty(path))), meant(nearest.as_deref())].into_iter().flatten().collect()
            }
            NotFound::NoFile { path } => vec![around_missing(path)].into_iter().flatten().collect(),
            NotFound::NotBuilt { name, manifest_dir, searched, nearest } => {
                let mut facts = vec![("hint", build_hint(name, *manifest_dir))];
                facts.extend(meant(nearest.as_deref()));
                facts.extend(searched.iter().map(|path| ("tried", path.display().to_string())));
                facts
            }
            _ => Vec::new(),
        }
    }
}

fn or_empty(path: String) -> String {
    if path.is_empty() { "(empty)".to_owned() } else { path }
}

fn meant(nearest: Option<&str>) -> Option<(&'static str, String)> {
    nearest.map(|name| ("meant", format!("`{name}`?")))
}

/// What is true around a missing file: a directory that is missing too, or a neighbour with nearly its name.
fn around_missing(path: &Path) -> Option<(&'static str, String)> {
    let dir = path.parent()?;
    let missing = dir.ancestors().take_while(|dir| !dir.exists()).last();
    if let Some(missing) = missing {
        return Some(("hint", format!("the directory `{}` does not exist", missing.display())));
    }
    if path.is_symlink() {
        return Some(("hint", "it is a symbolic link to nothing".to_owned()));
    }
    meant(nearest_program(path.file_name().unwrap_or(OsStr::new("")), &[dir.to_owned()]).as_deref())
}

fn build_hint(name: &str, manifest_dir: Option<&str>) -> String {
    let place = manifest_dir.map(|dir| format!(" in `{dir}`")).unwrap_or_default();
    format!("`cargo build --bin {name}`{place}, or make the test an integration test: cargo builds it for those")
}
