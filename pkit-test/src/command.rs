//! What to run: a program and its arguments, as text with holes.
//!
//! Words are split before holes are filled, so that a value with spaces stays one argument and no value can ever
//! become two. A command that cannot be split is a command with a fault: where it was written nobody can handle an
//! error, so the fault waits until the start, which reports it like every other.

mod fault;
mod words;

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::program::{Bin, NotFound, Program, Wanted};
use crate::quote;
use crate::template::{Hole, Template};
pub(crate) use fault::CommandFault;
pub use words::IntoArgs;
use words::Words;

/// A program and its arguments.
///
/// Most commands are written as one text, which is split into words as a shell splits it: at spaces, with `'single'`
/// and `"double"` quotes, backslashes, and `#` before a comment. Nothing else of a shell happens: `*`, `$HOME`, `|` and
/// `>` are ordinary characters. For those there is [`sh`].
///
/// ```
/// # use pkit_test::Command;
/// let cache = Command::from("redis-server --port {port} --save ''");
/// let same = Command::from(["redis-server", "--port", "{port}", "--save", ""]);
/// assert_eq!(same.to_string(), cache.to_string());
/// ```
///
/// An array, a slice or a `Vec` are the words themselves, and are not split.
///
/// # Holes
///
/// `{port}`, `{dir}`, `{db.addr}` and their like are filled when the process starts. That is after the splitting, so a
/// value is always one argument, or a part of one, whatever is in it. `{{port}}` is the text `{port}`, and all braces
/// that are not around a name are text anyway.
///
/// # The program
///
/// A name without a slash is looked up in the `PATH` of the process. With a slash it is meant from the working
/// directory of the test, which under cargo is the directory of the package, and never from the one given to the
/// process.
#[derive(Debug, Clone)]
#[must_use = "a command does nothing until something starts it"]
pub struct Command {
    program: Program,
    args: Vec<Template>,
    written: String,
    fault: Option<CommandFault>,
}

impl Command {
    /// A program by its path, which is one word whatever is in it, and has no holes.
    ///
    /// ```
    /// # use pkit_test::Command;
    /// let editor = Command::program("/opt/My Editor/bin/edit{1}").arg("a file");
    /// assert_eq!(editor.to_string(), "'/opt/My Editor/bin/edit{1}' 'a file'");
    /// ```
    pub fn program(path: impl Into<PathBuf>) -> Command {
        let path = path.into();
        let written = quote::word(&path.to_string_lossy()).into_owned();
        let fault = CommandFault::of_program(&path);
        Command { program: Program::Path(path), args: Vec::new(), written, fault }
    }

    /// Adds one argument, which is not split.
    ///
    /// ```
    /// # use pkit_test::Command;
    /// let greeting = Command::from("echo").arg("hello world").arg("from {host}");
    /// assert_eq!(greeting.to_string(), "echo 'hello world' 'from {host}'");
    /// ```
    pub fn arg(self, arg: impl Into<String>) -> Command {
        self.args([arg.into()])
    }

    /// Adds arguments: a text is split into words like a command, an array, a slice or a `Vec` are the words.
    ///
    /// ```
    /// # use pkit_test::Command;
    /// let split = Command::from("app").args("--name 'two words' -v");
    /// let words = Command::from("app").args(["--name", "two words", "-v"]);
    /// assert_eq!(split.to_string(), words.to_string());
    /// ```
    pub fn args(mut self, args: impl IntoArgs) -> Command {
        let words = Words::from(args);
        if !words.written.is_empty() {
            self.written = format!("{} {}", self.written, words.written);
        }
        self.args.extend(words.words.iter().map(|word| Template::parse(word)));
        self.fault = self.fault.or(words.fault);
        self
    }

    fn from_words(words: Words) -> Command {
        let mut rest = words.words.iter().map(|word| Template::parse(word));
        let named = rest.next().unwrap_or_else(|| Template::parse(""));
        let unnamed = named.source().is_empty().then(|| CommandFault::Empty(words.written.clone()));
        let args = rest.collect();
        Command { program: Program::Named(named), args, written: words.written, fault: words.fault.or(unnamed) }
    }

    /// What is wrong with how the command was written, the first thing if there are several.
    pub(crate) fn fault(&self) -> Option<&CommandFault> {
        self.fault.as_ref()
    }

    /// All holes, in the order in which they were written.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.program.holes().chain(self.args.iter().flat_map(Template::holes))
    }

    /// What makes two of them the same.
    pub(crate) fn identity(&self) -> String {
        format!("{} {:?}", self.program.identity(), self.args)
    }

    /// Whether it depends on where the test runs which program that is.
    pub(crate) fn is_meant_from_here(&self) -> bool {
        self.program.is_meant_from_here()
    }

    /// The command with its holes filled, or the first error of `lookup`.
    pub(crate) fn render<E>(&self, lookup: &mut dyn FnMut(&Hole) -> Result<String, E>) -> Result<Line, E> {
        let program = self.program.render(lookup)?;
        let args = self.args.iter().map(|arg| arg.render(lookup)).collect::<Result<_, E>>()?;
        Ok(Line { program, args })
    }
}

/// The command as it was written, in one line; words that were given apart are quoted where a shell would need it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A command whose holes are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) program: Wanted,
    pub(crate) args: Vec<String>,
}

impl Line {
    /// The absolute path of the program. `path_env` is the `PATH` of the process, `cwd` the directory of the test.
    pub(crate) fn locate(&self, path_env: Option<&OsStr>, cwd: &Path) -> Result<PathBuf, NotFound> {
        self.program.locate(path_env, cwd)
    }

    /// The command line as it was written, its holes filled.
    pub(crate) fn as_written(&self) -> String {
        let program = match &self.program {
            Wanted::File(path) => path.to_string_lossy(),
            Wanted::Bin(bin) => bin.name.into(),
        };
        quote::line(std::iter::once(&*program).chain(self.args.iter().map(String::as_str)))
    }

    /// The command line for people, who may copy it: the program as it was found, from `cwd` if it is below.
    pub(crate) fn for_people(&self, located: &Path, cwd: &Path) -> String {
        let shown = located
            .strip_prefix(cwd)
            .ok()
            .filter(|path| path.components().count() > 1 && cwd.parent().is_some())
            .unwrap_or(located);
        let shown = shown.to_string_lossy();
        quote::line(std::iter::once(&*shown).chain(self.args.iter().map(String::as_str)))
    }
}

/// A script for `/bin/sh`.
///
/// For what a plain command does not do: pipes, variables, several commands. Arguments that are added to it are `$1`,
/// `$2` and so on.
///
/// ```
/// use pkit_test::{sh, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let count = simple(sh("sort | uniq -c | wc -l >{dir}/\"$1\"").arg("two words")).stdin("a\nb\na\n").start()?;
/// count.wait()?;
/// assert_eq!(std::fs::read_to_string(count.dir().join("two words")).unwrap().trim(), "2");
/// # Ok(()) }
/// ```
///
/// # Holes
///
/// A value is one word to the shell wherever the hole stands, bare or in either kind of quotes: it is quoted for
/// its place. So `ls {dir}`, `ls "{dir}"` and `ls '{dir}'` are all the same, and a value can never become a second
/// command. Ports, addresses and ordinary paths need no quotes and get none. Only in a here-document, where the shell
/// itself has no quotes, a value with blanks or quotes in it may show them.
///
/// `${name}` is a variable of the shell and never a hole.
pub fn sh(script: impl Into<String>) -> Command {
    let script = script.into();
    // A value is quoted, not pasted: `{db.url}` may hold an `&`, and `{dir}` a space, on the machine of somebody else.
    let words = ["-c".into(), script.clone(), "sh".into()];
    let written = format!("sh -c {}", quote::word(&script));
    let args = vec![Template::parse("-c"), Template::parse_script(&script), Template::parse("sh")];
    let program = Program::Path(PathBuf::from("/bin/sh"));
    Command { program, args, written, fault: CommandFault::of_words(&words) }
}

/// A binary of the package under test, by its name.
///
/// It is found whatever the working directory of the test: where cargo said at compile time (integration tests and
/// benchmarks), where the runner says at run time (`CARGO_BIN_EXE_<name>`, `NEXTEST_BIN_EXE_<name>`), or beside the
/// test binary in the target directory. If it is in none of these places, the start says so, and how to build it.
///
/// ```
/// # use pkit_test::bin;
/// let api = bin!("api").args("--listen {addr} --redis {cache.addr}");
/// assert_eq!(api.to_string(), "api --listen {addr} --redis {cache.addr}");
/// ```
#[macro_export]
macro_rules! bin {
    ($name:literal) => {
        $crate::__private::bin(
            $name,
            ::core::option_env!(::core::concat!("CARGO_BIN_EXE_", $name)),
            ::core::option_env!("CARGO_MANIFEST_DIR"),
        )
    };
}

/// What [`bin!`] expands to.
#[doc(hidden)]
pub fn bin(name: &'static str, compile_time: Option<&'static str>, manifest_dir: Option<&'static str>) -> Command {
    let fault = CommandFault::of_program(Path::new(name));
    let program = Program::Bin(Bin { name, compile_time, manifest_dir });
    Command { program, args: Vec::new(), written: quote::word(name).into_owned(), fault }
}

#[cfg(test)]
mod tests;
