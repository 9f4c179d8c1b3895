//! The name that was probably meant.

/// The nearest of `names`, if it is near enough to be a slip of the keyboard: one letter in three.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    let near = names.into_iter().map(|name| (distance(wanted, name), name));
    near.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters have to be added, removed or changed, or changed places with their neighbours, to get from `a` to
/// `b` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            rows[i][j] = step(&rows, &a, &b, (i, j));
        }
    }
    rows[a.len()][b.len()]
}

fn step(rows: &[Vec<usize>], a: &[char], b: &[char], (i, j): (usize, usize)) -> usize {
    let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
    let best = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
    if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_mended_and_a_stranger_is_not() {
        let names = ["cache", "api", "db"];
        assert_eq!(nearest("chache", names), Some("cache"));
        assert_eq!(nearest("cahce", names), Some("cache"));
        assert_eq!(nearest("apis", names), Some("api"));
        assert_eq!(nearest("bd", names), Some("db"));
        assert_eq!(nearest("queue", names), None);
        assert_eq!(nearest("", names), None);
    }
}
