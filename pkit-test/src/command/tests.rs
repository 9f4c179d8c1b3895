use std::borrow::Cow;
use std::convert::Infallible;

use super::*;

fn words(command: &Command) -> Vec<String> {
    assert_eq!(command.fault(), None);
    let line = command.render::<Infallible>(&mut |hole| Ok(format!("<{}>", hole.path.join(".")))).unwrap();
    let program = match line.program {
        Wanted::File(path) => path.to_str().unwrap().to_owned(),
        Wanted::Bin(bin) => format!("bin:{}", bin.name),
    };
    std::iter::once(program).chain(line.args).collect()
}

fn check(command: impl Into<Command>, expected: &[&str]) {
    let command = command.into();
    assert_eq!(words(&command), expected, "{command}");
}

#[test]
fn a_text_is_split_as_a_shell_splits_it() {
    check("true", &["true"]);
    check("  a\tb\n c  ", &["a", "b", "c"]);
    check("a 'b c' \"d e\" f\\ g", &["a", "b c", "d e", "f g"]);
    check("a --save ''", &["a", "--save", ""]);
    check("a x'y z'w", &["a", "xy zw"]);
    check("a \\\n b", &["a", "b"]);
    check("a # the rest is a comment", &["a"]);
    check("a '#' b#c", &["a", "#", "b#c"]);
    check("a * $HOME | b > c & ; `d` (e)", &["a", "*", "$HOME", "|", "b", ">", "c", "&", ";", "`d`", "(e)"]);
    check("# first\na b # second\nc", &["a", "b", "c"]);
}

#[test]
fn holes_survive_the_splitting() {
    check("a {port} --x={db.addr}/y", &["a", "<port>", "--x=<db.addr>/y"]);
    check("a '{port} b' \"{host} c\"", &["a", "<port> b", "<host> c"]);
    check("a {&db.addr}", &["a", "<db.addr>"]);
    check("{env.HOME}/bin/x", &["<env.HOME>/bin/x"]);
    check(r#"a '{"port":{port},"x":{"y":1}}'"#, &["a", r#"{"port":<port>,"x":{"y":1}}"#]);
    check("awk '{print $1}' {{port}} {4,5}", &["awk", "{print $1}", "{port}", "{4,5}"]);
    check("a \\{port\\}", &["a", "<port>"]);
}

#[test]
fn a_value_is_one_word_whatever_is_in_it() {
    let nasty = "a b 'c\" \\ {port} $x #";
    let command = Command::from("run {dir} x{dir}y").arg("{dir}").args("{dir} '{dir}'");
    let line = command.render::<Infallible>(&mut |_| Ok(nasty.into())).unwrap();
    assert_eq!(line.args, [nasty, &format!("x{nasty}y"), nasty, nasty, nasty]);
}

#[test]
fn everything_that_is_a_text_is_a_command() {
    let owned = "a b".to_owned();
    check("a b", &["a", "b"]);
    check(&owned, &["a", "b"]);
    check(Cow::Borrowed("a b"), &["a", "b"]);
    check(owned.clone().into_boxed_str(), &["a", "b"]);
    check(owned, &["a", "b"]);
}

#[test]
fn lists_are_not_split() {
    let strings = vec!["a b".to_owned(), "{port} 'c".to_owned()];
    let expected = ["a b", "<port> 'c"];
    let array = &["a b", "{port} 'c"];
    check(*array, &expected);
    check(array, &expected);
    check(&array[..], &expected);
    check(vec!["a b", "{port} 'c"], &expected);
    check(&strings, &expected);
    check(&strings[..], &expected);
    check(strings, &expected);
}

#[test]
fn a_program_is_one_path() {
    check(Command::program("/a b/{port} 'x").arg("c d").arg("{port}"), &["/a b/{port} 'x", "c d", "<port>"]);
}

#[test]
fn arguments_are_added_in_order() {
    let command = Command::from("a b").args("c 'd e'").arg("f g").args(["h i", ""]).args("").args(Vec::<String>::new());
    assert_eq!(words(&command), ["a", "b", "c", "d e", "f g", "h i", ""]);
    assert_eq!(command.to_string(), "a b c 'd e' 'f g' 'h i' ''");
}

#[test]
fn all_holes_are_known_beforehand() {
    let command = Command::from("{env.X}/x {db.port}").arg("{&y.addr} {{no}}").args(["{port}"]);
    let holes: Vec<_> = command.holes().map(|hole| hole.text.as_str()).collect();
    assert_eq!(holes, ["{env.X}", "{db.port}", "{&y.addr}", "{port}"]);
    assert_eq!(sh("x {a.port} ${HOME}").holes().count(), 1);
}

fn fault(command: impl Into<Command>) -> String {
    command.into().fault().expect("a fault").to_string()
}

#[test]
fn a_faulty_command_says_what_is_wrong() {
    assert_eq!(fault(""), "the command is empty");
    assert_eq!(fault(" \n"), "the command is empty");
    assert_eq!(fault(Vec::<String>::new()), "the command is empty");
    assert_eq!(fault(Command::program("")), "the command is empty");
    assert_eq!(fault("'' a"), "the command `'' a` names no program");
    assert_eq!(fault("# a"), "the command `# a` names no program");
    assert_eq!(fault("a it's"), "the quote that opens at column 5 of `a it's` is never closed: `'s`");
    assert_eq!(fault("é \"b\" \"c"), "the quote that opens at column 7 of `é \"b\" \"c` is never closed: `\"c`");
    let long = format!("a '{}", "é".repeat(100));
    assert!(fault(&long).ends_with(&format!("closed: `'{}…`", "é".repeat(23))));
    assert_eq!(fault("a b\0c"), r"the word $'b\u0000c' of the command holds a NUL byte");
    assert_eq!(fault(sh("x\0")), r"the word $'x\u0000' of the command holds a NUL byte");
}

#[test]
fn the_first_fault_stays() {
    let command = Command::from("a").args("it's").arg("x\0").args("\"");
    assert!(command.fault().unwrap().to_string().contains("it's"));
    assert!(fault(Command::from("").arg("x")).contains("empty"));
}

#[test]
fn a_script_is_one_argument_of_a_shell() {
    let command = sh("a | b").arg("one two").args("three");
    assert_eq!(words(&command), ["/bin/sh", "-c", "a | b", "sh", "one two", "three"]);
    assert_eq!(command.to_string(), "sh -c 'a | b' 'one two' three");
}

#[test]
fn a_script_runs_with_its_values_whole() {
    let command = sh("printf '%s\\n' {x} \"{x}\" '{x}' \"$1\" $0 ${2-none} # {x}").arg("{x}");
    let line = command.render::<Infallible>(&mut |_| Ok("a b'\"$(id)\\".into())).unwrap();
    let shell = line.locate(None, Path::new("/")).unwrap();
    let ran = std::process::Command::new(shell).args(&line.args).output().unwrap();
    let value = "a b'\"$(id)\\";
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!("{value}\n{value}\n{value}\n{value}\nsh\nnone\n"));
}

#[test]
fn a_binary_of_the_package_goes_by_its_name() {
    let command = bin!("api").args("--listen {addr}");
    assert_eq!(words(&command), ["bin:api", "--listen", "<addr>"]);
    assert_eq!(command.to_string(), "api --listen {addr}");
}

#[test]
fn a_command_line_is_shown_so_that_it_can_be_copied() {
    let line = Line { program: Wanted::File("x".into()), args: vec!["--listen".into(), "a b".into(), String::new()] };
    let shown = |located: &str| line.for_people(Path::new(located), Path::new("/home/me/api"));
    assert_eq!(shown("/home/me/api/target/debug/api"), "target/debug/api --listen 'a b' ''");
    assert_eq!(shown("/usr/bin/my redis"), "'/usr/bin/my redis' --listen 'a b' ''");
    // Without a slash a shell would look in its PATH.
    assert_eq!(shown("/home/me/api/run"), "/home/me/api/run --listen 'a b' ''");
}

#[test]
fn a_text_in_lines_is_shown_in_one() {
    assert_eq!(Command::from("a \\\n  --b 'c d' # why\n  --e").to_string(), "a --b 'c d' --e");
    assert_eq!(Command::from("  a   b ").to_string(), "a   b");
}
