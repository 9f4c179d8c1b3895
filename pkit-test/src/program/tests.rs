use std::convert::Infallible;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pkit-program-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The path, or the error with its facts as lines.
fn show(found: Result<PathBuf, NotFound>, scratch: &Scratch) -> String {
    let text = match found {
        Ok(path) => path.display().to_string(),
        Err(error) => {
            let facts = error.facts().into_iter().map(|(label, fact)| format!("\n{label}: {fact}"));
            format!("{error}{}", facts.collect::<String>())
        }
    };
    text.replace(scratch.0.to_str().unwrap(), "/tmp")
}

fn find(scratch: &Scratch, program: &str, path_env: &str) -> String {
    let path_env = path_env.replace("/tmp", scratch.0.to_str().unwrap());
    let program = program.replace("/tmp", scratch.0.to_str().unwrap());
    show(locate(Path::new(&program), Some(OsStr::new(&path_env)), &scratch.0), scratch)
}

#[test]
fn a_name_is_looked_up_in_path() {
    let dir = Scratch::new();
    dir.file("one/app", 0o644);
    dir.file("two/app", 0o755);
    dir.file("three/app", 0o755);
    fs::create_dir_all(dir.0.join("four/app")).unwrap();
    assert_eq!(find(&dir, "app", "/nowhere:/tmp/four:/tmp/one:/tmp/two:/tmp/three"), "/tmp/two/app");
    assert_eq!(find(&dir, "app", "two"), "/tmp/two/app");
    assert_eq!(find(&dir, "app", "/tmp/one"), "program `/tmp/one/app` is not executable (mode 0644)");
}

#[test]
fn an_empty_part_of_path_is_the_current_directory() {
    let dir = Scratch::new();
    dir.file("app", 0o755);
    assert_eq!(find(&dir, "app", "/nowhere:"), "/tmp/app");
}

#[test]
fn a_name_that_is_nowhere_shows_path_and_the_nearest_name() {
    let dir = Scratch::new();
    dir.file("bin/redis-server", 0o755);
    dir.file("bin/redis-sevfr", 0o644);
    dir.file("sbin/redis-cli", 0o755);
    assert_eq!(
        find(&dir, "redis-sever", "/tmp/bin:/tmp/sbin"),
        "program `redis-sever` is in no directory of PATH\nPATH: /tmp/bin:/tmp/sbin\nmeant: `redis-server`?"
    );
    assert_eq!(find(&dir, "postgres", "/tmp/bin"), "program `postgres` is in no directory of PATH\nPATH: /tmp/bin");
}

#[test]
fn without_path_the_system_directories_are_searched() {
    assert!(locate(Path::new("sh"), None, Path::new("/")).is_ok());
    assert_eq!(show(locate(Path::new(""), None, Path::new("/")), &Scratch::new()), "the name of the program is empty");
}

#[test]
fn a_path_is_meant_from_the_directory_of_the_test() {
    let dir = Scratch::new();
    dir.file("target/debug/app", 0o755);
    dir.file("app", 0o755);
    symlink("target/debug/app", dir.0.join("link")).unwrap();
    assert_eq!(find(&dir, "target/debug/app", "/nowhere"), "/tmp/target/debug/app");
    assert_eq!(find(&dir, "./app", "/nowhere"), "/tmp/app");
    assert_eq!(find(&dir, "target/./debug//app", "/nowhere"), "/tmp/target/debug/app");
    assert_eq!(find(&dir, "./target/../app", "/nowhere"), "/tmp/target/../app");
    assert_eq!(find(&dir, "/tmp/link", "/nowhere"), "/tmp/link");
}

#[test]
fn each_way_to_miss_a_path_has_its_words() {
    let dir = Scratch::new();
    dir.file("target/debug/server", 0o755);
    dir.file("plain", 0o644);
    symlink("gone", dir.0.join("dangling")).unwrap();
    let find = |program: &str| find(&dir, program, "");
    assert_eq!(find("target/debug/sever"), "program `/tmp/target/debug/sever` does not exist\nmeant: `server`?");
    assert_eq!(find("target/debug/other"), "program `/tmp/target/debug/other` does not exist");
    assert_eq!(
        find("target/release/x/server"),
        "program `/tmp/target/release/x/server` does not exist\nhint: the directory `/tmp/target/release` does not exist"
    );
    assert_eq!(find("./plain"), "program `/tmp/plain` is not executable (mode 0644)");
    assert_eq!(find("./plain/x"), "program `/tmp/plain/x` does not exist");
    assert_eq!(find("./target"), "program `/tmp/target` is a directory");
    assert_eq!(find("./dangling"), "program `/tmp/dangling` does not exist\nhint: it is a symbolic link to nothing");
    let long = format!("/tmp/{}", "x".repeat(300));
    assert!(find(&long).contains("cannot be reached"), "{}", find(&long));
}

#[test]
fn a_rendered_name_decides_whether_path_is_searched() {
    let program = Program::Named(Template::parse("{env.DIR}/app"));
    assert_eq!(program.holes().count(), 1);
    let wanted = program.render::<Infallible>(&mut |_| Ok("/opt".into())).unwrap();
    assert_eq!(wanted, Wanted::File("/opt/app".into()));
}

const API: Bin = Bin { name: "my-api", compile_time: None, manifest_dir: Some("/src/api") };

fn find_bin(dir: &Scratch, bin: Bin, env: &[(&str, &str)], test_binary: &str) -> String {
    let real = |path: &str| path.replace("/tmp", dir.0.to_str().unwrap());
    let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| real(value).into());
    let test_binary = real(test_binary);
    show(bin.locate_with(&dir.0, &lookup, Some(Path::new(&test_binary))), dir)
}

#[test]
fn a_binary_is_found_where_the_compiler_or_the_runner_says() {
    let dir = Scratch::new();
    for name in ["compiled", "cargo", "cargo_", "nextest", "nextest_", "target/debug/my-api"] {
        dir.file(name, 0o755);
    }
    let told = [
        ("CARGO_BIN_EXE_my-api", "/tmp/cargo"),
        ("CARGO_BIN_EXE_my_api", "/tmp/cargo_"),
        ("NEXTEST_BIN_EXE_my-api", "/tmp/nextest"),
        ("NEXTEST_BIN_EXE_my_api", "/tmp/nextest_"),
    ];
    let compiled = Bin { compile_time: Some("compiled"), ..API };
    let test = "/tmp/target/debug/deps/it-0123";
    assert_eq!(find_bin(&dir, compiled, &told, test), "/tmp/compiled");
    let stale = Bin { compile_time: Some("/gone"), ..API };
    assert_eq!(find_bin(&dir, stale, &told, test), "/tmp/cargo");
    assert_eq!(find_bin(&dir, API, &told[1..], test), "/tmp/cargo_");
    assert_eq!(find_bin(&dir, API, &told[2..], test), "/tmp/nextest");
    assert_eq!(find_bin(&dir, API, &told[3..], test), "/tmp/nextest_");
    assert_eq!(find_bin(&dir, API, &[], test), "/tmp/target/debug/my-api");
}

#[test]
fn a_binary_is_found_beside_the_test() {
    let dir = Scratch::new();
    dir.file("target/debug/my-api", 0o755);
    dir.file("target/release/examples/my-api", 0o755);
    for test in ["debug/deps/it-0123", "debug/examples/demo", "debug/main"] {
        assert_eq!(find_bin(&dir, API, &[], &format!("/tmp/target/{test}")), "/tmp/target/debug/my-api");
    }
    let example = find_bin(&dir, API, &[], "/tmp/target/release/deps/it-0123");
    assert_eq!(example, "/tmp/target/release/examples/my-api");
}

#[test]
fn a_binary_that_is_not_built_says_how() {
    let dir = Scratch::new();
    dir.file("target/debug/my-app", 0o755);
    assert_eq!(
        find_bin(&dir, API, &[], "/tmp/target/debug/deps/it-0123"),
        "binary `my-api` is not built\n\
         hint: `cargo build --bin my-api` in `/src/api`, or make the test an integration test: cargo builds it for those\n\
         meant: `my-app`?\n\
         tried: /tmp/target/debug/my-api\n\
         tried: /tmp/target/debug/examples/my-api"
    );
}

#[test]
fn a_binary_that_cannot_run_is_not_called_missing() {
    let dir = Scratch::new();
    dir.file("target/debug/my-api", 0o644);
    let found = find_bin(&dir, API, &[], "/tmp/target/debug/deps/it-0123");
    assert_eq!(found, "program `/tmp/target/debug/my-api` is not executable (mode 0644)");
}
