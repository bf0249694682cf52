//! What somebody may have meant.

/// `unknown option ..; did you mean ..?`, or the list of what there is.
pub(crate) fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    match known
        .iter()
        .min_by_key(|name| distance(given, name))
        .filter(|name| distance(given, name) <= 2 + name.len() / 5)
    {
        Some(name) => format!("unknown {what} `{given}`; did you mean `{name}`?"),
        None => format!("unknown {what} `{given}`; there are {}", list(known)),
    }
}

fn list(known: &[&str]) -> String {
    match known {
        [first @ .., last] if !first.is_empty() => format!("`{}` and `{last}`", first.join("`, `")),
        _ => format!("`{}`", known.join("`, `")),
    }
}

/// How many letters must be added, removed or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
