//! `tags(company, region)`: arguments that logs, traces and reports may show.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Ident, Token,
    ext::IdentExt as _,
    parenthesized,
    parse::{ParseStream, Parser as _},
    punctuated::Punctuated,
};

use crate::{
    function::Errors,
    parameter::{Parameter, find},
};

/// The most that a run keeps.
const MAX: usize = 16;

pub(super) fn parse(option: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Ident>> {
    let fault = || syn::Error::new(option.span(), "write the arguments that may be shown: `tags(company, region)`");
    if !input.peek(syn::token::Paren) {
        return Err(fault());
    }
    let content;
    parenthesized!(content in input);
    let not_alone = |error: syn::Error| {
        let fault = "a tag is an argument as it is, and no expression; a run adds others by `ctx.tag(\"key\", value)`";
        syn::Error::new(error.span(), fault)
    };
    let tags = Punctuated::<Ident, Token![,]>::parse_terminated_with;
    let read = |content: ParseStream<'_>| tags(content, Ident::parse_any);
    let tags: Vec<Ident> = read.parse2(content.parse()?).map_err(not_alone)?.into_iter().collect();
    match tags.get(MAX) {
        _ if tags.is_empty() => Err(fault()),
        Some(tag) => Err(syn::Error::new(tag.span(), format!("a run has at most {MAX} tags"))),
        None => Ok(tags),
    }
}

pub(super) fn check(tags: &[Ident], parameters: &[Parameter]) -> syn::Result<()> {
    let mut errors = Errors::default();
    for (index, tag) in tags.iter().enumerate() {
        match find(tag, parameters) {
            Ok(parameter) if parameter.is_secret() => {
                let fault = "a tag is shown in logs, traces and reports, and this argument is secret; tag another, such as an id";
                errors.add(syn::Error::new(tag.span(), fault));
            }
            Ok(_) if tags[..index].contains(tag) => {
                errors.add(syn::Error::new(tag.span(), "this argument is a tag already"));
            }
            Ok(_) => {}
            Err(error) => errors.add(error),
        }
    }
    errors.finish()
}

/// `Task::tags`.
pub(super) fn items(tags: &[Ident], private: &TokenStream) -> Option<TokenStream> {
    if tags.is_empty() {
        return None;
    }
    let tags = tags.iter().map(|tag| {
        let name = tag.unraw().to_string();
        // What can be no tag shows up where the argument is named.
        let value = quote_spanned!(tag.span()=> #private::LockPart::lock_part(&self.#tag));
        quote!(#value.map(|__value| (#name, __value)))
    });
    Some(quote! {
        fn tags(&self) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
            ::std::iter::Iterator::collect(::std::iter::Iterator::flatten(::std::iter::IntoIterator::into_iter([#(#tags),*])))
        }
    })
}
