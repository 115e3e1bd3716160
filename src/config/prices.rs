//! What models cost, as the operator wrote it down: prices change, so none is compiled in.

/// The price of one model, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrice {
    /// The model's name as the provider knows it.
    pub model: String,
    /// For input that was not in the provider's cache.
    pub input_usd: f64,
    /// For input that was.
    pub cached_usd: f64,
    /// For output.
    pub output_usd: f64,
}

/// Reads `model=input/cached/output`, in a comma list.
///
/// # Errors
/// What is wrong with the first entry that cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<ModelPrice>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            parse_entry(entry).ok_or_else(|| {
                format!(
                    "{entry:?} must be a model with three prices in US dollars per million tokens, e.g. claude-haiku-5-5=0.10/0.01/0.50"
                )
            })
        })
        .collect()
}

fn parse_entry(entry: &str) -> Option<ModelPrice> {
    let (model, prices) = entry.rsplit_once('=')?;
    let prices: Option<Vec<f64>> = prices
        .split('/')
        .map(|price| {
            let price: f64 = price.trim().parse().ok()?;
            (price.is_finite() && price >= 0.0).then_some(price)
        })
        .collect();
    let [input_usd, cached_usd, output_usd] = prices?[..] else {
        return None;
    };
    let model = model.trim();
    (!model.is_empty()).then(|| ModelPrice {
        model: model.to_owned(),
        input_usd,
        cached_usd,
        output_usd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_three_numbers_behind_a_model() {
        let prices = parse("gpt-6-luna = 0.10/0.01/0.50, llama3:8b=0/0/0,").unwrap();
        let models: Vec<&str> = prices.iter().map(|price| price.model.as_str()).collect();
        assert_eq!(models, ["gpt-6-luna", "llama3:8b"]);
        assert_eq!(prices[0].cached_usd, 0.01);
        assert_eq!(parse(""), Ok(Vec::new()));
        for text in [
            "luna",
            "luna=1",
            "luna=1/2",
            "luna=1/2/x",
            "luna=1/2/-3",
            "=1/2/3",
            "luna=1/2/inf",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
