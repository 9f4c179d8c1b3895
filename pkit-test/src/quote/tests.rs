use super::*;

#[test]
fn only_words_that_need_it_are_quoted() {
    for (text, expected) in [
        ("redis-server", "redis-server"),
        ("--listen={addr}", "--listen={addr}"),
        ("{port}", "{port}"),
        ("{}", "{}"),
        ("127.0.0.1:40123", "127.0.0.1:40123"),
        ("größe", "größe"),
        ("", "''"),
        ("{", "'{'"),
        ("{4,5}", "'{4,5}'"),
        ("{1..3}", "'{1..3}'"),
        ("{&db.addr}", "'{&db.addr}'"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("~", "'~'"),
        ("#x", "'#x'"),
        ("$HOME", "'$HOME'"),
        ("a\\b", "'a\\b'"),
        ("a\nb", r"$'a\nb'"),
        ("it's\t\\", r"$'it\'s\t\\'"),
        ("\u{1b}[31m", r"$'\u001b[31m'"),
    ] {
        assert_eq!(word(text), expected, "{text:?}");
    }
}

#[test]
fn a_quoted_line_splits_into_the_same_words() {
    let nasty = ["", " ", "'", "\"", "\\", "a b", "#c", "{&x.y}", "$x", "`id`", "it's \"so\"", "é", "{a,b}", "a=b"];
    for first in nasty {
        for second in nasty {
            let words = ["program", first, second];
            assert_eq!(shell_words::split(&line(words)).unwrap(), words);
        }
    }
}

#[test]
fn the_shell_reads_quoted_words_as_they_were() {
    let nasty = ["a\nb", "\u{1b}1", "it's\t\\", "{1..3}", "{a,b}", "~", "*", "!", "a;b", "\u{85}f"];
    let script = format!("printf '%s\\0' {}", line(nasty));
    let printed = std::process::Command::new("bash").args(["-c", &script]).output();
    let Ok(printed) = printed else { return };
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), nasty.join("\0") + "\0");
}

fn place_after(script: &str) -> Place {
    let mut state = Script::default();
    state.read(script);
    state.place()
}

#[test]
fn the_place_in_a_script_is_known() {
    use Place::{Bare, Comment, DoubleQuotes, Escaped, EscapedInDoubleQuotes, SingleQuotes};
    for (script, expected) in [
        ("", Bare),
        ("echo ", Bare),
        ("echo '", SingleQuotes),
        ("echo '\\", SingleQuotes),
        ("echo 'a' ", Bare),
        ("echo \"", DoubleQuotes),
        ("echo \"'", DoubleQuotes),
        ("echo \"\\\"", DoubleQuotes),
        ("echo \"\\\\\"", Bare),
        ("echo '\"", SingleQuotes),
        ("echo \\'", Bare),
        ("echo \\\"", Bare),
        ("echo \"$(", Bare),
        ("echo \"$(cat '", SingleQuotes),
        ("echo \"$(cat x)", DoubleQuotes),
        ("echo \"$(cat \"", DoubleQuotes),
        ("echo \"(", DoubleQuotes),
        ("echo \"`", Bare),
        ("echo \"`cat x`", DoubleQuotes),
        ("(cd x; ", Bare),
        ("(cd x) ", Bare),
        ("x) ", Bare),
        ("# don't", Comment),
        ("a # don't", Comment),
        ("a#don't", SingleQuotes),
        ("echo $#", Bare),
        ("# don't\n", Bare),
        ("echo '#", SingleQuotes),
        ("echo \\", Escaped),
        ("echo \"\\", EscapedInDoubleQuotes),
        ("echo $(x \\", Escaped),
    ] {
        assert_eq!(place_after(script), expected, "{script:?}");
    }
}

#[test]
fn every_value_survives_at_every_place() {
    let values =
        ["x", "", "a b", "it's", "\"", "$HOME", "`id`", "\\", "a\\\"b", "*", "$(id)", "a\nb", "'\"'", "!", "-n"];
    // Between quotes a backslash before a value stays, elsewhere it goes.
    let places =
        [("", "", ""), ("'", "'", ""), ("\"", "\"", ""), ("\\", "", ""), ("\"\\", "\"", "\\"), ("'\\", "'", "\\")];
    for value in values {
        for (before, after, stays) in places {
            let mut state = Script::default();
            let script = format!("printf '%s.' {before}");
            state.read(&script);
            let script = format!("{script}{}{after}", state.place().quote(value));
            let printed = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(printed.stdout).unwrap(), format!("{stays}{value}."), "{script}");
        }
    }
}

#[test]
fn the_quote_that_is_not_closed_is_found() {
    for (text, expected) in [
        ("a b", None),
        ("a 'b", Some(2)),
        ("a \"b", Some(2)),
        ("a 'b' \"c", Some(6)),
        ("a \"it's", Some(2)),
        ("it's", Some(2)),
        ("it\\'s", None),
        ("\"a\\\"", Some(0)),
        ("'a\\'", None),
        ("# it's", None),
        ("a #it's", None),
        ("a#it's", Some(4)),
        ("# it's\n'", Some(7)),
        ("ü 'b", Some(3)),
    ] {
        assert_eq!(unclosed_quote(text), expected, "{text:?}");
        assert_eq!(shell_words::split(text).is_err(), expected.is_some(), "{text:?}");
    }
}

#[test]
fn both_readers_agree_on_what_is_unclosed() {
    let alphabet = ['a', ' ', '\'', '"', '\\', '#', '\n'];
    for mut number in 0..7_usize.pow(5) {
        let mut text = String::new();
        for _ in 0..5 {
            text.push(alphabet[number % 7]);
            number /= 7;
        }
        assert_eq!(unclosed_quote(&text).is_some(), shell_words::split(&text).is_err(), "{text:?}");
    }
}
