use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Ident, parenthesized,
    parse::{Parse, ParseStream},
    token,
};

use crate::{
    options::duration::{self, Limit},
    suggest,
};

/// What happens to a task whose lock is busy.
pub(super) enum Busy {
    Defer,
    Wait(Duration),
    Skip,
    Fail,
}

impl Parse for Busy {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let fault = |error: syn::Error| {
            syn::Error::new(error.span(), "busy is one of defer, wait(\"10s\"), skip and fail, without quotes")
        };
        let policy: Ident = input.parse().map_err(fault)?;
        Ok(match policy.to_string().as_str() {
            "defer" => Self::Defer,
            "skip" => Self::Skip,
            "fail" => Self::Fail,
            "wait" if input.peek(token::Paren) => {
                let content;
                parenthesized!(content in input);
                let limit: Limit = content.parse()?;
                Self::Wait(limit.duration)
            }
            "wait" => return Err(syn::Error::new(policy.span(), "say for how long: wait(\"10s\")")),
            other => {
                let fault = suggest::unknown("busy policy", other, &["defer", "wait", "skip", "fail"]);
                return Err(syn::Error::new(policy.span(), fault));
            }
        })
    }
}

impl Busy {
    pub(super) fn tokens(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Defer => quote!(#private::Busy::Defer),
            Self::Skip => quote!(#private::Busy::Skip),
            Self::Fail => quote!(#private::Busy::Fail),
            Self::Wait(limit) => {
                let limit = duration::tokens(*limit, private);
                quote!(#private::Busy::Wait(#limit))
            }
        }
    }
}
