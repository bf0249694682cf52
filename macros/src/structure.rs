//! `#[task]` on a struct.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, Fields, ItemStruct, Path, Token, parse_quote, punctuated::Punctuated, spanned::Spanned as _};

use crate::{
    contract::Contract,
    function::{Errors, last_segment},
    options::Options,
    parameter::{Parameter, check_serde},
};

/// The struct and its contract.
pub(crate) fn expand(options: TokenStream, structure: ItemStruct) -> TokenStream {
    let mut bare = structure.clone();
    check(options, structure).map_or_else(
        |error| {
            // The struct stays, so that those who name it add no errors of their own.
            bare.attrs.retain(is_known);
            bare.fields.iter_mut().for_each(|field| field.attrs.retain(is_known));
            let error = error.into_compile_error();
            quote!(#bare #error)
        },
        |contract| contract.expand(),
    )
}

/// Whether it has a meaning without this macro and serde's.
fn is_known(attribute: &Attribute) -> bool {
    !["arg", "serde"].iter().any(|name| attribute.path().is_ident(name))
}

fn check(options: TokenStream, structure: ItemStruct) -> syn::Result<Contract> {
    let mut errors = Errors::default();
    let options = errors.keep(Options::parse(options));
    if let Some((option, _)) = options.as_ref().and_then(|options| options.derive.as_ref()) {
        errors.add(syn::Error::new(option.span(), "write `#[derive(..)]` on the struct"));
    }
    if let Some((option, _)) = options.as_ref().and_then(|options| options.check.as_ref()) {
        errors.add(syn::Error::new(
            option.span(),
            "a contract runs nothing; write `check` beside `run`, in its `Handler`",
        ));
    }
    if !structure.generics.params.is_empty() {
        let fault = "a task is not generic: one name on the wire stands for one type of arguments";
        errors.add(syn::Error::new_spanned(&structure.generics, fault));
    }
    for attribute in structure.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        errors.keep(check_serde(attribute));
    }
    let parameters = parameters(structure.fields, &mut errors);
    if let Some(options) = &options {
        errors.keep(options.check_arguments(&parameters));
    }
    let derived = errors.keep(derived(&structure.attrs, &parameters)).unwrap_or_default();
    errors.finish()?;
    let options = options.ok_or_else(|| syn::Error::new(Span::call_site(), "the task could not be read"))?;

    let cfgs = structure.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    let output = options.output.as_ref().map_or_else(|| parse_quote!(()), |(_, output)| output.clone());
    let (ident, vis, attributes) = (structure.ident, structure.vis, structure.attrs);
    Ok(Contract { options, ident, vis, attributes, cfgs, parameters, output, derived })
}

fn parameters(fields: Fields, errors: &mut Errors) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    match fields {
        Fields::Named(fields) => {
            for mut field in fields.named {
                let Some(ident) = field.ident else { continue };
                let parameter = Parameter::new(ident, field.ty, field.vis, &mut field.attrs)
                    .map(|parameter| parameter.with_attributes(field.attrs));
                parameters.extend(errors.keep(parameter));
            }
        }
        Fields::Unnamed(fields) => {
            let fault =
                "a task's arguments have names, by which callers pass them: write `struct Name { field: Type }`";
            errors.add(syn::Error::new(fields.span(), fault));
        }
        Fields::Unit => {}
    }
    parameters
}

/// The derives that stand on the struct already.
fn derived(attributes: &[Attribute], parameters: &[Parameter]) -> syn::Result<Vec<String>> {
    let mut names = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        for path in attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)? {
            let name = last_segment(&path);
            if name.as_deref() == Some("Debug") && parameters.iter().any(Parameter::is_secret) {
                let fault =
                    "this would show the secret arguments; leave it out, and `#[task]` writes one that masks them";
                return Err(syn::Error::new_spanned(path, fault));
            }
            names.extend(name);
        }
    }
    Ok(names)
}
