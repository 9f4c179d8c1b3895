//! The file that a command runs: from what was written to an absolute path, or to the reason why there is none.
//!
//! The path is found before anything is spawned, for two reasons. A service may have a working directory of its
//! own, while what a test writes is meant from where the test runs. And "no such file" from the kernel can mean five
//! things, of which a user wants to read only the true one.

mod nearest;
mod not_found;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::template::{Hole, Template};
pub(crate) use nearest::nearest_name;
use nearest::nearest_program;
pub(crate) use not_found::NotFound;

/// Where programs are looked for if there is no `PATH` at all; `execvp` does the same.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The program of a command, as it was written.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    Named(Template),
    Path(PathBuf),
    Bin(Bin),
}

/// A binary of the package under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bin {
    pub(crate) name: &'static str,
    /// What cargo said when the test was compiled, which it says to integration tests and benchmarks only.
    pub(crate) compile_time: Option<&'static str>,
    /// The directory of the package, to say where it could be built.
    pub(crate) manifest_dir: Option<&'static str>,
}

/// A program whose holes are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    File(PathBuf),
    Bin(Bin),
}

impl Program {
    /// The holes of the program's name.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        let template = match self {
            Program::Named(template) => Some(template),
            Program::Path(_) | Program::Bin(_) => None,
        };
        template.into_iter().flat_map(Template::holes)
    }

    /// What makes two of them the same: of a binary of the package, which file it is.
    pub(crate) fn identity(&self) -> String {
        match self {
            Program::Named(template) => template.source().to_owned(),
            Program::Path(path) => format!("{path:?}"),
            Program::Bin(bin) => match bin.locate(&env::current_dir().unwrap_or_default()) {
                Ok(path) => format!("{path:?}"),
                Err(_) => format!("{bin:?}"),
            },
        }
    }

    /// Whether it depends on the working directory of the test which file that is.
    pub(crate) fn is_meant_from_here(&self) -> bool {
        let is_relative = |path: &OsStr| path.as_bytes().contains(&b'/') && !path.as_bytes().starts_with(b"/");
        match self {
            Program::Named(template) => {
                is_relative(OsStr::new(template.source())) && !template.source().starts_with('{')
            }
            Program::Path(path) => is_relative(path.as_os_str()),
            Program::Bin(_) => false,
        }
    }

    pub(crate) fn render<E>(&self, lookup: &mut dyn FnMut(&Hole) -> Result<String, E>) -> Result<Wanted, E> {
        Ok(match self {
            Program::Named(template) => Wanted::File(template.render(lookup)?.into()),
            Program::Path(path) => Wanted::File(path.clone()),
            Program::Bin(bin) => Wanted::Bin(*bin),
        })
    }
}

impl Wanted {
    /// The absolute path of the program. Without a slash it is looked up in `path_env`, the `PATH` of the service;
    /// with one it is meant from `cwd`, the working directory of the test.
    pub(crate) fn locate(&self, path_env: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, NotFound> {
        match self {
            Wanted::File(path) => locate(path, path_env, cwd),
            Wanted::Bin(bin) => bin.locate(cwd),
        }
    }
}

fn locate(program: &Path, path_env: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, NotFound> {
    let bytes = program.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(NotFound::Unnamed);
    }
    if bytes.contains(&b'/') {
        let path = absolute(program, cwd);
        return check(&path).map(|()| path);
    }
    search(program, path_env.unwrap_or(OsStr::new(DEFAULT_PATH)), cwd)
}

/// Looks in each directory of `PATH`. What cannot be executed does not end the search, and is only told if nothing
/// else is found; directories that we may not read are passed over, as there are many such in a `PATH`.
fn search(program: &Path, path_env: &OsStr, cwd: &Path) -> Result<PathBuf, NotFound> {
    let searched: Vec<_> = env::split_paths(path_env).map(|dir| absolute(&dir, cwd)).collect();
    let mut unusable = None;
    for dir in &searched {
        let path = dir.join(program);
        match check(&path) {
            Ok(()) => return Ok(path),
            Err(trouble @ NotFound::NotExecutable { .. }) => unusable = unusable.or(Some(trouble)),
            Err(_) => {}
        }
    }
    let nearest = || nearest_program(program.as_os_str(), &searched);
    Err(unusable.unwrap_or_else(|| NotFound::InPath {
        program: program.display().to_string(),
        nearest: nearest(),
        searched: searched.clone(),
    }))
}

/// Whether the file is there and can be executed.
fn check(path: &Path) -> Result<(), NotFound> {
    let metadata = fs::metadata(path).map_err(|error| no_file(path, error))?;
    if metadata.is_dir() {
        return Err(NotFound::Directory { path: path.to_owned() });
    }
    if metadata.is_file() && is_executable(path) {
        return Ok(());
    }
    Err(NotFound::NotExecutable { path: path.to_owned(), mode: metadata.permissions().mode() & 0o7777 })
}

fn no_file(path: &Path, error: io::Error) -> NotFound {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NotFound::NoFile { path: path.to_owned() },
        _ => NotFound::Unreachable { path: path.to_owned(), error },
    }
}

/// Asks the kernel and not the mode: it also knows about file systems that are mounted `noexec`.
fn is_executable(path: &Path) -> bool {
    access(path, AccessFlags::X_OK).is_ok()
}

/// The path from the root, without the `.` that only lengthen it.
fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    cwd.join(path).components().filter(|part| *part != Component::CurDir).collect()
}

impl Bin {
    fn locate(&self, cwd: &Path) -> Result<PathBuf, NotFound> {
        let test_binary = env::current_exe().ok();
        self.locate_with(cwd, &|name| env::var_os(name), test_binary.as_deref())
    }

    fn locate_with(
        &self,
        cwd: &Path,
        env: &dyn Fn(&str) -> Option<OsString>,
        test_binary: Option<&Path>,
    ) -> Result<PathBuf, NotFound> {
        let mut candidates = self.told(env);
        candidates.extend(test_binary.into_iter().flat_map(|test| self.around(test)));
        let candidates: Vec<_> = candidates.iter().map(|path| absolute(path, cwd)).collect();
        let found = candidates.iter().find(|path| path.exists());
        let found = found.ok_or_else(|| self.not_built(&candidates))?;
        check(found).map(|()| found.clone())
    }

    /// What cargo or nextest says about the binary. The compiler's word comes first, because a variable may be
    /// inherited from a runner further out, about a binary of the same name.
    fn told(&self, env: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
        let underscored = self.name.replace('-', "_");
        let names = [self.name, &underscored];
        let variables = ["CARGO_BIN_EXE_", "NEXTEST_BIN_EXE_"].into_iter();
        let variables = variables.flat_map(|prefix| names.map(|name| format!("{prefix}{name}")));
        let at_run_time = variables.filter_map(|variable| env(&variable));
        self.compile_time.map(OsString::from).into_iter().chain(at_run_time).map(PathBuf::from).collect()
    }

    /// Where cargo puts a binary, seen from a test: `target/debug/deps/test-0123` has it in `target/debug`, an example in
    /// `target/debug/examples`, and a program that starts its neighbour beside itself.
    fn around(&self, test_binary: &Path) -> Vec<PathBuf> {
        let Some(dir) = test_binary.parent() else { return Vec::new() };
        let is_below_profile = dir.ends_with("deps") || dir.ends_with("examples");
        let profile = if is_below_profile { dir.parent().unwrap_or(dir) } else { dir };
        let file = format!("{}{}", self.name, env::consts::EXE_SUFFIX);
        vec![profile.join(&file), profile.join("examples").join(&file)]
    }

    fn not_built(&self, candidates: &[PathBuf]) -> NotFound {
        let mut searched: Vec<PathBuf> = candidates.to_vec();
        searched.dedup();
        let dirs: Vec<_> = searched.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        NotFound::NotBuilt {
            name: self.name,
            manifest_dir: self.manifest_dir,
            nearest: nearest_program(OsStr::new(self.name), &dirs),
            searched,
        }
    }
}

#[cfg(test)]
mod tests;
