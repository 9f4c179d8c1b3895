//! What the caller wants.

use crate::rows;

/// What `cargo bench` adds.
pub(crate) const BENCH_FLAG: &str = "--bench";

/// The parsed command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// As few samples as show that it works.
    pub(crate) is_quick: bool,
    only: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[String]) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--quick" => arguments.is_quick = true,
                "--only" => arguments.only.push(name(words.next())?),
                BENCH_FLAG => {}
                _ => return Err(format!("`{word}` means nothing here")),
            }
        }
        Ok(arguments)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

pub(crate) fn usage() -> String {
    let rows: Vec<String> = rows::ALL.iter().map(|row| format!("  {:<8} {}", row.name, row.about)).collect();
    format!("[--quick] [--only NAME]...\n{}", rows.join("\n"))
}

fn name(word: Option<&str>) -> Result<String, String> {
    let word = word.ok_or("--only needs a name")?;
    match rows::ALL.iter().any(|row| row.name == word) {
        true => Ok(word.to_owned()),
        false => Err(format!("there is no `{word}` to measure")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn rows_are_chosen_by_name() {
        let arguments = parse("--bench --quick --only stop --only redis").unwrap();
        assert!(arguments.is_quick && arguments.wants("stop") && arguments.wants("redis") && !arguments.wants("ready"));
        assert!(parse("").unwrap().wants("ready"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(parse("--only nothing"), Err("there is no `nothing` to measure".to_owned()));
        assert_eq!(parse("--only"), Err("--only needs a name".to_owned()));
        assert_eq!(parse("--fast"), Err("`--fast` means nothing here".to_owned()));
    }
}
