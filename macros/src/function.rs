//! `#[task]` on an async fn.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::{
    FnArg, Ident, ItemFn, Pat, ReturnType, Signature, Type, TypePath, Visibility, ext::IdentExt as _, parse_quote,
    spanned::Spanned as _,
};

use crate::{contract::Contract, handler::Function, options::Options, owned, parameter::Parameter};

/// The function as it is written, the struct and its impls.
pub(crate) fn expand(options: TokenStream, mut function: ItemFn) -> TokenStream {
    let checked = check(options, &mut function);
    // On an error the function stays, so that its callers add none of their own.
    let generated = match checked {
        Ok((contract, handler)) => {
            let contract_tokens = contract.expand();
            let handler = handler.expand(&contract);
            quote!(#contract_tokens #handler)
        }
        Err(error) => {
            strip(&mut function);
            error.into_compile_error()
        }
    };
    quote!(#function #generated)
}

fn check(options: TokenStream, function: &mut ItemFn) -> syn::Result<(Contract, Function)> {
    let mut errors = Errors::default();
    let options = errors.keep(Options::parse(options));
    if let Some((option, _)) = options.as_ref().and_then(|options| options.output.as_ref()) {
        errors.add(syn::Error::new(option.span(), "the output is what the function returns; remove `output`"));
    }
    errors.keep(check_signature(&function.sig));
    let output = errors.keep(output(&function.sig));
    let arguments = errors.keep(arguments(&mut function.sig, &function.vis));
    if let (Some(options), Some((_, parameters))) = (&options, &arguments) {
        errors.keep(options.check_arguments(parameters));
    }
    errors.finish()?;
    let (state, parameters) = arguments.unwrap_or_default();
    let (Some(options), Some(output)) = (options, output) else {
        return Err(syn::Error::new(Span::call_site(), "the task could not be read"));
    };

    let ident = upper_camel(&function.sig.ident);
    let text = format!("The task `{}`, run by [`{}`].", options.name(), function.sig.ident.unraw());
    let cfgs: Vec<_> = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
    let mut attributes = cfgs.clone();
    attributes.push(parse_quote!(#[doc = #text]));
    attributes.push(parse_quote!(
        #[allow(clippy::struct_field_names, clippy::struct_excessive_bools, reason = "they are a function's arguments")]
    ));
    let unused_async = parse_quote!(#[allow(clippy::unused_async, reason = "every task is an async fn")]);
    function.attrs.push(unused_async);
    let handler = Function {
        ident: function.sig.ident.clone(),
        state,
        output_span: match &function.sig.output {
            ReturnType::Type(_, ty) => ty.span(),
            ReturnType::Default => Span::call_site(),
        },
    };
    let derived = options.derive.iter().flat_map(|(_, derives)| derives.iter().filter_map(last_segment)).collect();
    let contract =
        Contract { options, ident, vis: function.vis.clone(), attributes, cfgs, parameters, output, derived };
    Ok((contract, handler))
}

/// Takes out what only this macro knows.
fn strip(function: &mut ItemFn) {
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(typed) = input {
            typed.attrs.retain(|attribute| !["arg", "serde", "doc"].iter().any(|name| attribute.path().is_ident(name)));
        }
    }
}

fn check_signature(sig: &Signature) -> syn::Result<()> {
    if sig.asyncness.is_none() {
        let fault =
            "a task is an async fn: write `async fn`, and move blocking work into `tokio::task::spawn_blocking`";
        return Err(syn::Error::new(sig.fn_token.span(), fault));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        let tokens = if sig.generics.params.is_empty() {
            sig.generics.where_clause.to_token_stream()
        } else {
            sig.generics.params.to_token_stream()
        };
        let fault = "a task is not generic: one name on the wire stands for one type of arguments";
        return Err(syn::Error::new_spanned(tokens, fault));
    }
    if let Some(variadic) = &sig.variadic {
        return Err(syn::Error::new_spanned(variadic, "a task has a fixed number of arguments"));
    }
    if let Some(abi) = &sig.abi {
        return Err(syn::Error::new_spanned(abi, "a task is an ordinary async fn"));
    }
    Ok(())
}

/// The `T` of `Result<T, E>`.
fn output(sig: &Signature) -> syn::Result<Type> {
    let fault = "a task returns a `Result`: write `-> Result<(), TaskError>`, or what it returns in the stead of `()`";
    let ReturnType::Type(_, ty) = &sig.output else {
        return Err(syn::Error::new(sig.paren_token.span.close(), fault));
    };
    let path = match ty.as_ref() {
        Type::Path(TypePath { path, .. }) => path,
        other => return Err(syn::Error::new_spanned(other, fault)),
    };
    let is_result = path.segments.last().is_some_and(|segment| segment.ident == "Result");
    let output = owned::arguments_of(ty, "Result").and_then(|arguments| arguments.first().copied());
    let output = output.filter(|_| is_result).ok_or_else(|| syn::Error::new_spanned(ty, fault))?;
    owned::check(output, "what a task returns")?;
    Ok(output.clone())
}

/// The state of the context, where there is one, and the arguments.
type Arguments = (Option<Type>, Vec<Parameter>);

fn arguments(sig: &mut Signature, vis: &Visibility) -> syn::Result<Arguments> {
    let (mut state, mut parameters, mut errors) = (None, Vec::new(), Errors::default());
    for (index, input) in sig.inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(receiver) => {
                let fault =
                    "a task is a free function; what it shares with others is the worker's state, `ctx: Context<S>`";
                errors.add(syn::Error::new_spanned(receiver, fault));
            }
            FnArg::Typed(typed) => {
                let Some(states) = owned::arguments_of(&typed.ty, "Context") else {
                    let parameter = name(&typed.pat)
                        .and_then(|ident| Parameter::new(ident, (*typed.ty).clone(), vis.clone(), &mut typed.attrs));
                    parameters.extend(errors.keep(parameter));
                    continue;
                };
                match (index, states.as_slice()) {
                    (0, [one]) => state = Some((*one).clone()),
                    (0, _) => {
                        let fault = "name the worker's state: `Context<S>`, or `Context<()>` where there is none";
                        errors.add(syn::Error::new_spanned(&typed.ty, fault));
                    }
                    _ => errors.add(syn::Error::new_spanned(&*typed, "the context comes first, and once")),
                }
            }
        }
    }
    errors.finish()?;
    Ok((state, parameters))
}

fn name(pattern: &Pat) -> syn::Result<Ident> {
    match pattern {
        Pat::Ident(ident) if ident.by_ref.is_none() && ident.subpat.is_none() => Ok(ident.ident.clone()),
        other => {
            Err(syn::Error::new_spanned(other, "an argument has a name, by which callers pass it: use no pattern"))
        }
    }
}

/// `charge_invoice` becomes `ChargeInvoice`.
fn upper_camel(function: &Ident) -> Ident {
    let name: String = function
        .unraw()
        .to_string()
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters)
        })
        .collect();
    format_ident!("{name}", span = function.span())
}

/// The name of a derive.
pub(crate) fn last_segment(path: &syn::Path) -> Option<String> {
    path.segments.last().map(|segment| segment.ident.to_string())
}

/// Several faults, all shown at once.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
