//! Types that can come out of a message, or go into one: owned, and named.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{PathArguments, Type, TypePath};

/// Refuses references and `impl Trait`, at any depth.
pub(crate) fn check(ty: &Type, what: &str) -> syn::Result<()> {
    if let Type::Reference(reference) = ty {
        let owned = match reference.elem.as_ref() {
            Type::Slice(_) => "a `Vec`".to_owned(),
            Type::Path(TypePath { path, .. }) => match path.segments.last().map(|segment| segment.ident.to_string()) {
                Some(name) if name == "str" => "`String`".to_owned(),
                Some(name) if name == "Path" => "`PathBuf`".to_owned(),
                Some(name) => format!("`{name}`"),
                None => "its own type".to_owned(),
            },
            _ => "its own type".to_owned(),
        };
        return Err(syn::Error::new_spanned(ty, format!("{what} is owned, for it travels in a message: use {owned}")));
    }
    walk(ty.to_token_stream(), what)
}

fn walk(tokens: TokenStream, what: &str) -> syn::Result<()> {
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' || punct.as_char() == '\'' => {
                let fault = format!("{what} is owned, for it travels in a message: use no reference and no lifetime");
                return Err(syn::Error::new(punct.span(), fault));
            }
            TokenTree::Ident(ident) if ident == "impl" || ident == "dyn" => {
                let fault = format!("{what} has one type, which serde reads and writes: name it");
                return Err(syn::Error::new(ident.span(), fault));
            }
            TokenTree::Group(group) => walk(group.stream(), what)?,
            _ => {}
        }
    }
    Ok(())
}

/// The types in the angle brackets of a path that ends with `name`.
pub(crate) fn arguments_of<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    let Type::Path(TypePath { path, .. }) = ty else { return None };
    let last = path.segments.last().filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(Vec::new()) };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some(types.collect())
}
