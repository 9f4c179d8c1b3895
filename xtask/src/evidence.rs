//! What of a long output is to be read again at the end: the tests that failed, and what they printed.

use crate::gauntlet::Evidence;

/// More of one step is not repeated: it is all further up.
const MOST_LINES: usize = 400;

/// Where a part of the output belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// To nothing that failed.
    Other,
    /// To libtest's list of failures, up to its result.
    OfLibtest,
    /// To a test that failed under nextest, up to the status of the next one.
    OfNextest,
}

/// The lines about tests that failed, and the compiler's errors.
pub(crate) fn evidence(lines: &[String]) -> Evidence {
    let mut part = Part::Other;
    let mut kept = Evidence::new();
    for line in lines {
        part = part.after(line);
        if part != Part::Other || line.starts_with("error") || line.starts_with("test result: FAILED") {
            kept.push(line.clone());
        }
    }
    let more = kept.len().saturating_sub(MOST_LINES);
    kept.truncate(MOST_LINES);
    kept.extend((more > 0).then(|| format!("… and {more} lines more, further up")));
    kept
}

impl Part {
    /// An indented line is quoted by somebody else, but for the status of nextest, which has a time in brackets.
    fn after(self, line: &str) -> Part {
        match line {
            "failures:" => Part::OfLibtest,
            _ if line.starts_with("test result:") => Part::Other,
            _ => match status_of_nextest(line) {
                Some("PASS" | "SLOW" | "SETUP") => Part::Other,
                Some(_) => Part::OfNextest,
                None => self,
            },
        }
    }
}

/// `FAIL` of `        FAIL [   0.012s] (3/9) package::binary name`.
fn status_of_nextest(line: &str) -> Option<&str> {
    let (word, rest) = line.trim_start().split_once(' ')?;
    let is_time = rest.trim_start().strip_prefix('[')?.split_once(']')?.0.trim().trim_start_matches('>').ends_with('s');
    (is_time && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '-')).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Evidence {
        evidence(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn of_libtest_it_is_the_list_of_failures() {
        let text = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b ----\nwhy\n\n    failures:\n        b\n\n\
                    test result: FAILED. 1 passed; 1 failed\nDoc-tests x";
        let expected =
            "failures:\n\n---- b ----\nwhy\n\n    failures:\n        b\n\ntest result: FAILED. 1 passed; 1 failed";
        assert_eq!(of(text).join("\n"), expected);
    }

    #[test]
    fn of_nextest_it_is_what_a_failed_test_printed() {
        let text = "        PASS [   0.1s] (1/3) p::b one\n        FAIL [   0.2s] (2/3) p::b two\n  stdout ───\n    why\n\
                    \u{20}       PASS [   0.1s] (3/3) p::b three\nmore";
        assert_eq!(of(text).join("\n"), "        FAIL [   0.2s] (2/3) p::b two\n  stdout ───\n    why");
    }

    #[test]
    fn what_passes_leaves_none_and_no_list_is_endless() {
        assert!(of("test a ... ok\ntest result: ok. 1 passed; 0 failed").is_empty());
        assert_eq!(of(&format!("failures:\n{}", "x\n".repeat(1000))).len(), MOST_LINES + 1);
        assert_eq!(of("error[E0308]: mismatched types"), ["error[E0308]: mismatched types"]);
    }
}
