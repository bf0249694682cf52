//! Durations in quotes. The broker's crate reads the same from configuration; this one can't depend on it.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Lit, LitStr,
    parse::{Parse, ParseStream},
};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A limit, above zero.
pub(super) struct Limit {
    pub(super) duration: Duration,
    pub(super) literal: LitStr,
}

impl Parse for Limit {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let literal = quoted(input, "20s")?;
        let duration = parse(&literal.value()).map_err(|fault| syn::Error::new(literal.span(), fault))?;
        if duration.is_zero() {
            return Err(syn::Error::new(literal.span(), "0 leaves no time; leave the option out for none"));
        }
        Ok(Self { duration, literal })
    }
}

impl Limit {
    pub(super) fn tokens(&self, private: &TokenStream) -> TokenStream {
        tokens(self.duration, private)
    }
}

/// A literal in quotes; a number gets told its unit.
pub(super) fn quoted(input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    let fault = format!("write it in quotes with its unit, such as \"{example}\"");
    match input.parse::<Lit>() {
        Ok(Lit::Str(literal)) => Ok(literal),
        Ok(other) => Err(syn::Error::new(other.span(), fault)),
        Err(error) => Err(syn::Error::new(error.span(), fault)),
    }
}

/// The expression of that duration.
pub(super) fn tokens(duration: Duration, private: &TokenStream) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(#private::Duration::new(#seconds, #nanos))
}

/// A number with at most nine digits after the point, and a unit.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative"));
    }
    if number.is_empty() {
        return Err(format!("`{text}` is no duration; write a number and a unit, such as 500ms, 20s, 5m, 1h or 2d"));
    }
    let unit = unit.trim();
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(match unit {
            "" => format!("`{text}` has no unit; write {number}ms, {number}s, {number}m, {number}h or {number}d"),
            _ => format!("`{unit}` is no unit; the units are ms, s, m, h and d"),
        });
    };
    scaled(number, *nanos).ok_or_else(|| format!("`{text}` is no number that a duration can hold"))
}

fn scaled(number: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let denominator = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / u128::from(denominator);
    let nanos = nanos + u128::from(whole.parse::<u64>().ok()?) * u128::from(unit);
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, u32::try_from(nanos % 1_000_000_000).ok()?))
}
