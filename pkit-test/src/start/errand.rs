//! A command that others run for a test, perhaps when that is gone: everything about it is known before it is needed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::launch::{Variables, as_given, check_log_base, log_of_errand, not_found, own_argument, own_directory};
use crate::config::scaled;
use crate::error::{Error, Kind, Result};
use crate::guardian::protocol::Launch;
use crate::limits::EXEC_OUTPUT_BYTES;
use crate::place::find_user;
use crate::ready::NOTIFY_SOCKET;
use crate::spec::{Body, Spec};
use crate::sys::user::{self, User};
use crate::template::Hole;

/// Where whoever is not the user of the test can be for sure.
const EVERYBODYS: &str = "/";

/// An order that needs nobody any more, and its command line for people.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) launch: Launch,
    pub(crate) ran: String,
}

impl<H> Spec<H> {
    /// How it runs as an errand of that name, in the environment of this test. `fill` says what its holes mean.
    ///
    /// # Errors
    ///
    /// When it can mean nothing, or there is no such program, user or directory.
    pub(crate) fn errand(&self, name: &str, fill: &mut dyn FnMut(&Hole) -> Result<String>) -> Result<Errand> {
        self.check(name)?;
        let user = self.user.as_deref().map(find_user).transpose()?;
        let environment = self.errand_environment(user.as_ref(), fill)?;
        let here = own_directory()?;
        let cwd = match (&self.cwd, &user) {
            (Some(template), _) => here.join(template.render(fill)?),
            (None, Some(_)) => EVERYBODYS.into(),
            (None, None) => here.clone(),
        };
        let (program, arguments, ran) = self.errand_command(name, &environment, &here, fill)?;
        let environment = as_given(environment.into_iter().collect());
        refuse_nul(name, arguments.iter().chain(&environment))?;
        check_log_base()?;
        check_directory(name, &cwd)?;
        let launch = Launch {
            name: name.to_owned(),
            program,
            arguments,
            environment,
            cwd,
            // Whoever is that user already need not, and may not, become it.
            user: user.filter(|_| user::may_change_user()),
            stop: self.stop_plan(),
            log: log_of_errand(name),
            log_bytes: EXEC_OUTPUT_BYTES,
            input: self.stdin.clone().unwrap_or_default(),
            input_ends: true,
            has_bell: false,
            has_own_pids: false,
            has_network: false,
            is_errand: true,
            function: None,
            ends_with_leader: true,
        };
        Ok(Errand { launch, ran })
    }

    /// How long it may take.
    pub(crate) fn errand_limit(&self) -> std::time::Duration {
        scaled(self.start_timeout)
    }

    fn errand_environment(
        &self,
        user: Option<&User>,
        fill: &mut dyn FnMut(&Hole) -> Result<String>,
    ) -> Result<Variables> {
        let mut variables: Variables = if self.clears_env { Variables::new() } else { std::env::vars_os().collect() };
        // Of nobody who will be there then.
        variables.retain(|(name, _)| name != NOTIFY_SOCKET);
        if let Some(user) = user {
            let name = OsString::from(&user.name);
            set(&mut variables, "HOME", user.home.clone().into());
            set(&mut variables, "USER", name.clone());
            set(&mut variables, "LOGNAME", name);
        }
        for (name, value) in &self.env {
            set(&mut variables, name, value.render(fill)?.into());
        }
        Ok(variables)
    }

    fn errand_command(
        &self,
        name: &str,
        environment: &Variables,
        here: &Path,
        fill: &mut dyn FnMut(&Hole) -> Result<String>,
    ) -> Result<(PathBuf, Vec<Vec<u8>>, String)> {
        let command = match &self.body {
            Body::Program(command) => command,
            Body::Function(callee) => {
                let program = std::env::current_exe();
                let program = program.map_err(|error| Error::system("this binary was not found", error))?;
                let arguments = vec![program.as_os_str().as_bytes().to_vec()];
                return Ok((program, arguments, format!("{}, in a process of its own", callee.name)));
            }
        };
        let line = command.render(fill)?;
        let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let program = line.locate(path, here).map_err(|why| not_found(name, &self.clone().cast(), &why))?;
        let ran = line.for_people(&program, here);
        let mut arguments = vec![own_argument(&line.program, &program)];
        arguments.extend(line.args.into_iter().map(String::into_bytes));
        Ok((program, arguments, ran))
    }
}

fn set(variables: &mut Variables, name: &str, value: OsString) {
    variables.retain(|(known, _)| known != OsStr::new(name));
    variables.push((name.into(), value));
}

fn check_directory(name: &str, path: &Path) -> Result<()> {
    let why = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "it is not a directory".to_owned(),
        Err(error) => error.to_string(),
    };
    let title = format!("`{name}` was not started: its working directory {} cannot be entered", path.display());
    Err(Error::new(Kind::Cwd, title).fact("why", why))
}

fn refuse_nul<'a>(name: &str, mut texts: impl Iterator<Item = &'a Vec<u8>>) -> Result<()> {
    texts.find(|text| text.contains(&0)).map_or(Ok(()), |text| {
        let shown = String::from_utf8_lossy(text).escape_debug().to_string();
        let title = format!("`{name}` was not started: nothing that it is given can have a zero byte in it: `{shown}`");
        Err(Error::new(Kind::Spec, title))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{finished, simple};

    fn fill(hole: &Hole) -> Result<String> {
        Ok(if hole.name() == "dir" { "/".to_owned() } else { format!("<{}>", hole.path.join(".")) })
    }

    #[test]
    fn all_of_it_is_known_before() {
        let spec = simple("sh -c {seat} {slot}").env("PGPORT", "{port}").env("HOME", "/h").cwd("{dir}").stdin("in");
        let Errand { launch, ran } = spec.errand("undo of db", &mut fill).unwrap();
        assert_eq!(launch.arguments, [&b"sh"[..], b"-c", b"<seat>", b"<slot>"]);
        assert!(launch.program.is_absolute() && ran.ends_with("/sh -c '<seat>' '<slot>'"), "{ran}");
        let home: Vec<_> = launch.environment.iter().filter(|set| set.starts_with(b"HOME=")).collect();
        assert!(launch.environment.contains(&b"PGPORT=<port>".to_vec()) && home == [b"HOME=/h"]);
        assert_eq!((launch.cwd, launch.input), ("/".into(), b"in".to_vec()));
    }

    #[test]
    fn what_it_cannot_be_is_said_at_once() {
        let errand = |spec: Spec| spec.errand("undo of db", &mut fill).unwrap_err();
        assert!(errand(finished("no-such-program-at-all {seat}")).is_not_found());
        assert!(errand(simple("sh -c 'x")).is_spec());
        assert!(errand(simple("true").cwd("/no/such/place")).to_string().ends_with("(os error 2)"));
        assert!(errand(simple("true").user("nobody-of-that-name")).to_string().contains("there is no user"));
        let error = simple("true {x}").errand("undo of db", &mut |_| Ok("a\0b".to_owned())).unwrap_err();
        assert!(error.is_spec() && error.to_string().starts_with("`undo of db` was not started: nothing"), "{error}");
    }
}
