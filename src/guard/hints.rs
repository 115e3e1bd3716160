//! The nearest name that a person may have meant. Only ever chosen among names that may be shown.

/// Least likeness (Jaro-Winkler, 0 to 1) of a hint. Below it, hints are mostly noise.
const LIKENESS_MIN: f64 = 0.82;

/// The candidate most like `name`, if any is like it at all. Ties go to the one first in the alphabet.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::jaro_winkler(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(left.1)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_name_is_chosen_and_no_name_that_is_unlike() {
        let names = ["orders", "order_items", "customers"];
        assert_eq!(nearest("Order", names.into_iter()), Some("orders"));
        assert_eq!(nearest("costumers", names.into_iter()), Some("customers"));
        assert_eq!(nearest("payroll", names.into_iter()), None);
    }
}
