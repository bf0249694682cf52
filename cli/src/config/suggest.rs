//! What was probably meant.

/// `did you mean "x"?`, else every name there is.
pub(crate) fn among(name: &str, known: &[&str]) -> String {
    let close = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3 + 1)
        .min_by_key(|(distance, _)| *distance);
    match close {
        Some((_, candidate)) => format!("did you mean {candidate:?}?"),
        None => format!("there are {}", known.join(", ")),
    }
}
