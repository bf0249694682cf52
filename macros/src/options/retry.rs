use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Expr, Ident, LitInt, LitStr, Token, parenthesized,
    parse::{Parse, ParseStream},
};

use super::{duration, value};
use crate::suggest;

/// What a broker can hold.
const MAX_DELAY: Duration = Duration::from_secs(300 * 24 * 60 * 60);

/// `retry = POLICY`, or `retry(..)`.
pub(super) enum Retry {
    Policy(Box<Expr>),
    Parts(Parts),
}

/// What `retry(..)` sets; the rest is `RetryPolicy::DEFAULT`'s.
#[derive(Default)]
pub(super) struct Parts {
    max_attempts: Option<u32>,
    backoff: Option<(Duration, Duration)>,
    jitter: Option<Ident>,
}

impl Parse for Retry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![=]) {
            return Ok(Self::Policy(Box::new(value(input)?)));
        }
        let content;
        parenthesized!(content in input);
        let mut parts = Parts::default();
        let mut seen = Vec::new();
        while !content.is_empty() {
            let option: Ident = content.parse()?;
            if seen.contains(&option) {
                return Err(syn::Error::new(option.span(), format!("`{option}` is given twice")));
            }
            match option.to_string().as_str() {
                "max_attempts" => parts.max_attempts = Some(max_attempts(&value(&content)?)?),
                "backoff" => {
                    content.parse::<Token![=]>()?;
                    parts.backoff = Some(backoff(&duration::quoted(&content, "1s..5m")?)?);
                }
                "jitter" => parts.jitter = Some(jitter(&content)?),
                other => {
                    let fault = suggest::unknown("option of `retry`", other, &["max_attempts", "backoff", "jitter"]);
                    return Err(syn::Error::new(option.span(), fault));
                }
            }
            seen.push(option);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(Self::Parts(parts))
    }
}

impl Retry {
    /// The policy, as a constant expression.
    pub(super) fn policy(&self, private: &TokenStream) -> TokenStream {
        let parts = match self {
            Self::Policy(policy) => return quote!(#policy),
            Self::Parts(parts) => parts,
        };
        let default = quote!(#private::RetryPolicy::DEFAULT);
        let max_attempts =
            parts.max_attempts.map_or_else(|| quote!(#default.max_attempts), |attempts| quote!(#attempts));
        let (base, cap) = match parts.backoff {
            Some((base, cap)) => (duration::tokens(base, private), duration::tokens(cap, private)),
            None => (quote!(#default.backoff.base), quote!(#default.backoff.cap)),
        };
        let jitter = parts.jitter.as_ref();
        let jitter = jitter.map_or_else(|| quote!(#default.jitter), |jitter| quote!(#private::Jitter::#jitter));
        quote!(#private::RetryPolicy::checked(#max_attempts, #base, #cap, #jitter))
    }
}

fn max_attempts(literal: &LitInt) -> syn::Result<u32> {
    match literal.base10_parse::<u32>()? {
        0 => Err(syn::Error::new(literal.span(), "0 would never run the task; 1 means no retry")),
        attempts => Ok(attempts),
    }
}

fn backoff(literal: &LitStr) -> syn::Result<(Duration, Duration)> {
    let text = literal.value();
    let read = || {
        let (base, cap) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is no range; write the first and the longest delay, such as 1s..5m"))?;
        let (base, cap) = (duration::parse(base)?, duration::parse(cap)?);
        if base > cap {
            return Err(format!("the base {base:?} is above the cap {cap:?}"));
        }
        if base.is_zero() && !cap.is_zero() {
            return Err("a base of 0 never grows; give a base above 0, or a cap of 0".to_owned());
        }
        if cap > MAX_DELAY {
            return Err("the cap is above the 300 days that a broker can hold".to_owned());
        }
        Ok((base, cap))
    };
    read().map_err(|fault| syn::Error::new(literal.span(), fault))
}

/// The variant of that name.
fn jitter(input: ParseStream<'_>) -> syn::Result<Ident> {
    input.parse::<Token![=]>()?;
    let fault = |error: syn::Error| {
        syn::Error::new(error.span(), "jitter is one of none, equal, full and decorrelated, without quotes")
    };
    let name: Ident = input.parse().map_err(fault)?;
    let variant = match name.to_string().as_str() {
        "none" => "None",
        "equal" => "Equal",
        "full" => "Full",
        "decorrelated" => "Decorrelated",
        other => {
            let fault = suggest::unknown("jitter", other, &["none", "equal", "full", "decorrelated"]);
            return Err(syn::Error::new(name.span(), fault));
        }
    };
    Ok(Ident::new(variant, Span::call_site()))
}
