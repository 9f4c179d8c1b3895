use std::convert::Infallible;

use super::*;

/// Renders with every hole as `<hole>`, so that holes and literal braces can be told apart.
fn shown(template: &Template) -> String {
    let inner = |hole: &Hole| hole.text.trim_matches(['{', '}']).to_owned();
    template.render::<Infallible>(&mut |hole| Ok(format!("<{}>", inner(hole)))).unwrap()
}

fn plain(text: &str) -> String {
    shown(&Template::parse(text))
}

#[test]
fn holes_are_found() {
    for (text, expected) in [
        ("{port}", "<port>"),
        ("{port.peer}", "<port.peer>"),
        ("{db.port.peer}", "<db.port.peer>"),
        ("{node.2.addr}", "<node.2.addr>"),
        ("{&db.addr}", "<&db.addr>"),
        ("--port={port}", "--port=<port>"),
        ("{host}:{port}", "<host>:<port>"),
        ("{host}{port}", "<host><port>"),
        ("{_db.port}", "<_db.port>"),
        ("{größe.port}", "<größe.port>"),
        ("{env.NAME}", "<env.NAME>"),
        ("${port}", "$<port>"),
        ("\\{port\\}", "\\{port\\}"),
        ("\\{port}", "\\<port>"),
        ("日本{port}語", "日本<port>語"),
    ] {
        assert_eq!(plain(text), expected, "{text}");
    }
}

#[test]
fn other_braces_are_text() {
    for text in [
        "",
        "{",
        "}",
        "{}",
        "{{}}",
        "{{{}}}",
        "{ port }",
        "{port",
        "port}",
        "{port }",
        "{4,5}",
        "{4}",
        "{2.port}",
        "{-1}",
        "{_}",
        "{a.}",
        "{.a}",
        "{a..b}",
        "{&}",
        "{&&a}",
        "{a.&b}",
        "{a&b}",
        "{a-b}",
        "{a:?}",
        "{:?}",
        "{0}",
        "{a,b}",
        "{1..3}",
        "{.Names}",
        "{{.Names}}",
        "{{ x }}",
        "{{- x -}}",
        "{{json .}}",
        "{{range .A}}{{.B}}{{end .}}",
        "{\"a\":{\"b\":1}}",
        "{\"a\":{\"b\":{}}}",
        "{print $1}",
        "{ print }",
        "{a\n}",
        "{é-}",
        "{\u{0}}",
        "{a.b.}",
        "%{http_code-}",
        "s/x/{&}/",
        "{{port }}",
        "{ {4} }",
        "{a.1b}",
        "{a.-1}",
        "{²}",
    ] {
        assert_eq!(plain(text), text);
        assert_eq!(Template::parse(text).holes().count(), 0, "{text}");
    }
}

#[test]
fn braces_beside_a_hole_are_text() {
    for (text, expected) in [
        ("{\"a\":{port}}", "{\"a\":<port>}"),
        ("{\"a\":{\"b\":{port}}}", "{\"a\":{\"b\":<port>}}"),
        ("{{port},1}", "{<port>,1}"),
        ("{1,{port}}", "{1,<port>}"),
        ("{{host},{port}}", "{<host>,<port>}"),
        ("{{port}", "{<port>"),
        ("{port}}", "<port>}"),
        ("{ {port} }", "{ <port> }"),
        ("{{port}.{host}}", "{<port>.<host>}"),
        ("{{}{port}", "{{}<port>"),
        ("{a{port}}", "{a<port>}"),
    ] {
        assert_eq!(plain(text), expected, "{text}");
    }
}

#[test]
fn a_doubled_hole_is_text_with_one_pair_less() {
    for (text, expected) in [
        ("{{port}}", "{port}"),
        ("{{{port}}}", "{{port}}"),
        ("{{{{port}}}}", "{{{port}}}"),
        ("{{{port}}", "{{port}"),
        ("{{port}}}", "{port}}"),
        ("{{db.port}}", "{db.port}"),
        ("{{&db.addr}}", "{&db.addr}"),
        ("{{a}}{{b}}", "{a}{b}"),
        ("{{a}}{b}", "{a}<b>"),
        ("{a}{{b}}", "<a>{b}"),
        ("x{{port}}y", "x{port}y"),
    ] {
        assert_eq!(plain(text), expected, "{text}");
    }
}

#[test]
fn a_hole_knows_its_parts() {
    let template = Template::parse("a {db.port.peer} {&node.2.addr} {port} {slot} {env.HOME} {ports}");
    let holes: Vec<_> = template.holes().collect();
    let names: Vec<_> = holes.iter().map(|hole| (hole.name(), hole.rest(), hole.unordered, hole.is_own())).collect();
    assert_eq!(
        names,
        [
            ("db", "port.peer".into(), false, false),
            ("node", "2.addr".into(), true, false),
            ("port", String::new(), false, true),
            ("slot", String::new(), false, true),
            ("env", "HOME".into(), false, true),
            ("ports", String::new(), false, false),
        ]
    );
    assert_eq!(holes[1].text, "{&node.2.addr}");
    assert_eq!(template.source(), "a {db.port.peer} {&node.2.addr} {port} {slot} {env.HOME} {ports}");
}

#[test]
fn names_are_identifiers() {
    assert!(["a", "_a", "a1", "größe", "A_B", "__"].into_iter().all(is_name));
    assert!(!["", "_", "1", "1a", "a-b", "a.b", " a", "a ", "{a}", "&a", "r#a"].into_iter().any(is_name));
    assert!(REFUSED_NAMES.into_iter().all(is_name));
}

#[test]
fn a_value_is_never_read_again() {
    let template = Template::parse("{a} {b} {{a}}");
    let rendered = template.render::<Infallible>(&mut |_| Ok("{b} {{b}} $& \\0".into())).unwrap();
    assert_eq!(rendered, "{b} {{b}} $& \\0 {b} {{b}} $& \\0 {a}");
}

#[test]
fn the_first_error_ends_rendering() {
    let mut asked = Vec::new();
    let rendered = Template::parse("{a} {b} {c}").render(&mut |hole| {
        asked.push(hole.text.clone());
        if hole.name() == "b" { Err("no b") } else { Ok(String::new()) }
    });
    assert_eq!(rendered, Err("no b"));
    assert_eq!(asked, ["{a}", "{b}"]);
}

/// All texts of some length over an alphabet.
fn texts(alphabet: &[char], length: u32) -> impl Iterator<Item = String> {
    let base = alphabet.len();
    (0..base.pow(length)).map(move |mut number| {
        let mut next = || (alphabet[number % base], number /= base).0;
        (0..length).map(|_| next()).collect()
    })
}

#[test]
fn a_text_without_names_is_itself() {
    for text in texts(&['{', '}', '.', '&', '4', ' ', '\\', 'é'], 5).map(|text| text.replace('é', "→")) {
        assert_eq!(plain(&text), text);
    }
}

#[test]
fn every_text_can_be_written() {
    // Whatever text is wanted: with each hole in it doubled, the template renders to exactly that text.
    for text in texts(&['{', '}', 'a', '.', '&', ' '], 6) {
        let mut written = String::new();
        for token in tokens(&text, |_, is_escape| is_escape) {
            match token {
                Token::Text(text) => written.push_str(text),
                Token::Hole(hole) | Token::Escape(hole) => written.push_str(&format!("{{{}}}", hole.text)),
            }
        }
        assert_eq!(plain(&written), text, "{written}");
    }
}

#[test]
fn parts_cover_the_source() {
    for text in texts(&['{', '}', 'a', '.', '&', '1'], 6) {
        let template = Template::parse(&text);
        let doubled = tokens(&text, |_, _| false).iter().filter(|token| matches!(token, Token::Escape(_))).count();
        let rendered = template.render::<Infallible>(&mut |hole| Ok(hole.text.clone())).unwrap();
        assert_eq!(rendered.len() + 2 * doubled, text.len(), "{text}");
        assert_eq!(Template::parse(&text), template);
    }
}

#[test]
fn a_long_text_is_read_once() {
    // Quadratic time would be felt.
    for unit in ["{", "{a", "{a.", "{&", "{{", "{{a}", "\\{", "{port}"] {
        let text = unit.repeat(20_000);
        assert_eq!(Template::parse(&text).source(), text);
        Template::parse_regex(&text, &|_| true);
        Template::parse_script(&text);
    }
}

fn regex(text: &str) -> String {
    shown(&Template::parse_regex(text, &|name| name == "port" || name == "db"))
}

#[test]
fn only_known_names_are_holes_in_a_regex() {
    for (text, expected) in [
        (r"listening on {port}", r"listening on <port>"),
        (r"{db.port}", r"<db.port>"),
        (r"\d{port}", r"\d<port>"),
        (r"a{2,3}", r"a{2,3}"),
        (r"a{2}", r"a{2}"),
        (r"{other}", r"{other}"),
        (r"{{other}}", r"{{other}}"),
        (r"{{port}}", r"\{port\}"),
        (r"\p{Greek}", r"\p{Greek}"),
        (r"\p{port}", r"\p{port}"),
        (r"\x{db}", r"\x{db}"),
        (r"\b{port}", r"\b{port}"),
        (r"\\b{port}", r"\\b<port>"),
        (r"\{port\}", r"\{port\}"),
        (r"\{port}", r"\{port}"),
        (r"\\{port}", r"\\<port>"),
        (r"\{{port}\}", r"\{<port>\}"),
        (r"(?P<port>x){port}", r"(?P<port>x)<port>"),
    ] {
        let inserted = regex(text).replace(r"\<port\>", "<port>");
        assert_eq!(inserted.replace(r"<db\.port>", "<db.port>"), expected, "{text}");
    }
}

#[test]
fn a_value_in_a_regex_matches_only_itself() {
    for value in ["1.2.3.4:5", "[::1]:80", "a+b*", "(", "\\", "/tmp/x y", "$^", "{port}", "a|b", "é", "#", "-"] {
        let template = Template::parse_regex("^on {db.addr}$", &|name| name == "db");
        let pattern = template.render::<Infallible>(&mut |_| Ok(value.into())).unwrap();
        let regex = regex_lite::Regex::new(&pattern).unwrap();
        assert!(regex.is_match(&format!("on {value}")), "{pattern}");
        assert!(!regex.is_match(&format!("on {value}x")), "{pattern}");
        assert!(!regex.is_match("on 1x2x3x4:5"), "{pattern}");
    }
    let literal = Template::parse_regex("{{port}}", &|_| true);
    let literal = literal.render::<Infallible>(&mut |_| unreachable!()).unwrap();
    assert!(regex_lite::Regex::new(&literal).unwrap().is_match("{port}"));
}

fn script(text: &str, value: &str) -> String {
    Template::parse_script(text).render::<Infallible>(&mut |_| Ok(value.into())).unwrap()
}

#[test]
fn a_plain_value_is_the_same_everywhere_in_a_script() {
    for text in ["x {a}", "x '{a}'", "x \"{a}\"", "# {a}", "x$(y {a})"] {
        assert_eq!(script(text, "127.0.0.1:80"), text.replace("{a}", "127.0.0.1:80"));
    }
}

#[test]
fn a_value_is_one_word_wherever_it_stands_in_a_script() {
    for (text, expected) in [
        ("ls {dir}", "ls 'a $b'"),
        ("ls {dir}/x", "ls 'a $b'/x"),
        ("ls '{dir}/x'", "ls 'a $b/x'"),
        ("ls \"{dir}/x\"", "ls \"a \\$b/x\""),
        ("ls \"$(cat {dir})\"", "ls \"$(cat 'a $b')\""),
        ("ls {dir}#'{dir}'", "ls 'a $b'#'a $b'"),
        ("ls ${dir} ${{dir}} {{dir}}", "ls ${dir} ${dir} {dir}"),
        ("f() { echo {dir}; }", "f() { echo 'a $b'; }"),
    ] {
        assert_eq!(script(text, "a $b"), expected, "{text}");
    }
    assert_eq!(script("# {dir}\nx", "a\nb"), "# a b\nx");
}
