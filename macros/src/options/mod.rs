//! What stands in `#[task(..)]`.

mod duration;
mod lock;
mod retry;
mod tags;
mod text;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Expr, Ident, LitBool, LitInt, LitStr, Path, Token, Type, bracketed,
    ext::IdentExt as _,
    parenthesized,
    parse::{ParseStream, Parser as _},
    punctuated::Punctuated,
};

use self::{duration::Limit, lock::Lock, retry::Retry};
use crate::{function::Errors, parameter::Parameter, suggest};

/// Every option, in the order of the documentation.
const KNOWN: [&str; 20] = [
    "name",
    "queue",
    "aliases",
    "soft_time_limit",
    "time_limit",
    "deadline",
    "expires",
    "priority",
    "early_ack",
    "retry",
    "mutex",
    "semaphore",
    "rate",
    "check",
    "tags",
    "defaults",
    "allow_unknown",
    "output",
    "derive",
    "crate",
];

/// What stands in `#[task(..)]`, checked.
#[derive(Default)]
pub(crate) struct Options {
    name: Option<LitStr>,
    queue: Option<Expr>,
    aliases: Vec<LitStr>,
    soft_time_limit: Option<Limit>,
    time_limit: Option<Limit>,
    deadline: Option<Limit>,
    expires: Option<Limit>,
    priority: Option<u8>,
    early_ack: Option<bool>,
    retry: Option<Retry>,
    locks: Vec<Lock>,
    /// The arguments that are shown as tags.
    tags: Vec<Ident>,
    /// The option's name, and the function that is asked before a run.
    pub(crate) check: Option<(Ident, Path)>,
    defaults: Option<Expr>,
    allow_unknown: bool,
    /// The option's name and its type.
    pub(crate) output: Option<(Ident, Type)>,
    /// The option's name and the derives.
    pub(crate) derive: Option<(Ident, Punctuated<Path, Token![,]>)>,
    krate: Option<Path>,
}

impl Options {
    /// Reads the options.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                // `crate` is a keyword.
                let option = input.call(Ident::parse_any)?;
                if seen.contains(&option) && !lock::is_kind(&option) {
                    return Err(syn::Error::new(option.span(), format!("`{option}` is given twice")));
                }
                options.option(&option, input)?;
                seen.push(option);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        read.parse2(tokens)?;
        options.check()?;
        Ok(options)
    }

    fn option(&mut self, option: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match option.to_string().as_str() {
            "name" => {
                input.parse::<Token![=]>()?;
                self.name = Some(text::name(input)?);
            }
            "queue" => self.queue = Some(text::queue(value(input)?)?),
            "aliases" => self.aliases = aliases(input)?,
            "soft_time_limit" => self.soft_time_limit = Some(value(input)?),
            "time_limit" => self.time_limit = Some(value(input)?),
            "deadline" => self.deadline = Some(value(input)?),
            "expires" => self.expires = Some(value(input)?),
            "priority" => self.priority = Some(priority(&value(input)?)?),
            "early_ack" => self.early_ack = Some(flag(input)?),
            "retry" => self.retry = Some(input.parse()?),
            "defaults" => self.defaults = Some(value(input)?),
            "allow_unknown" => self.allow_unknown = flag(input)?,
            "output" => self.output = Some((option.clone(), value(input)?)),
            "derive" => {
                let content;
                parenthesized!(content in input);
                self.derive = Some((option.clone(), Punctuated::parse_terminated(&content)?));
            }
            "crate" => self.krate = Some(value(input)?),
            "mutex" | "semaphore" | "rate" => self.locks.push(Lock::parse(option, input)?),
            "tags" => self.tags = tags::parse(option, input)?,
            "check" => self.check = Some((option.clone(), value(input)?)),
            other => return Err(syn::Error::new(option.span(), suggest::unknown("option", other, &KNOWN))),
        }
        Ok(())
    }

    fn check(&self) -> syn::Result<()> {
        let Some(name) = &self.name else {
            let fault = "a task has a name on the wire: write `#[task(name = \"area.verb\")]`; it outlives the code that has it";
            return Err(syn::Error::new(Span::call_site(), fault));
        };
        for (index, alias) in self.aliases.iter().enumerate() {
            let value = alias.value();
            if value == name.value() || self.aliases[..index].iter().any(|earlier| earlier.value() == value) {
                return Err(syn::Error::new(alias.span(), "this name is given already"));
            }
        }
        match (&self.soft_time_limit, &self.time_limit) {
            (Some(soft), Some(hard)) if soft.duration >= hard.duration => Err(syn::Error::new(
                soft.literal.span(),
                format!(
                    "the soft time limit {:?} is not below the time limit {:?}; what lies between is the run's time to clean up",
                    soft.duration, hard.duration
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Checks what the locks and the tags say of the arguments.
    pub(crate) fn check_arguments(&self, parameters: &[Parameter]) -> syn::Result<()> {
        let mut errors = Errors::default();
        errors.keep(lock::check(&self.locks, parameters));
        errors.keep(tags::check(&self.tags, parameters));
        errors.finish()
    }

    /// The path of what generated code names.
    pub(crate) fn private(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::celeriac::__private), |path| quote!(#path::__private))
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> String {
        self.name.as_ref().map(LitStr::value).unwrap_or_default()
    }

    /// The items of `impl Task` that come from options alone.
    pub(crate) fn items(&self) -> TokenStream {
        let private = self.private();
        let Self { name, aliases, allow_unknown, .. } = self;
        let aliases = (!aliases.is_empty()).then(|| quote!(const ALIASES: &'static [&'static str] = &[#(#aliases),*];));
        let allow_unknown = allow_unknown.then(|| {
            quote!(
                const ALLOW_UNKNOWN: bool = true;
            )
        });
        let settings = self.settings();
        let defaults = self.defaults.as_ref().map(|defaults| quote!(.or(#defaults)));
        let locks = lock::items(&self.locks, &self.name(), &private);
        let tags = tags::items(&self.tags, &private);
        quote! {
            const NAME: &'static str = #name;
            #aliases
            #allow_unknown
            fn options() -> #private::TaskOptions {
                const OPTIONS: #private::TaskOptions = #private::TaskOptions::new() #settings;
                OPTIONS #defaults
            }
            #locks
            #tags
        }
    }

    fn settings(&self) -> TokenStream {
        let private = self.private();
        let queue = self.queue.as_ref().map(|queue| quote!(.queue(#queue)));
        let retry = self.retry.as_ref().map(|retry| {
            let policy = retry.policy(&private);
            quote!(.retry(#policy))
        });
        let limit = |limit: &Option<Limit>, method: &str| {
            limit.as_ref().map(|limit| {
                let (method, duration) = (Ident::new(method, Span::call_site()), limit.tokens(&private));
                quote!(.#method(#duration))
            })
        };
        let soft_time_limit = limit(&self.soft_time_limit, "soft_time_limit");
        let time_limit = limit(&self.time_limit, "time_limit");
        let deadline = limit(&self.deadline, "deadline");
        let expires = limit(&self.expires, "expires");
        let priority = self.priority.map(|priority| quote!(.priority(#priority)));
        let early_ack = self.early_ack.map(|early| quote!(.early_ack(#early)));
        quote!(#queue #retry #soft_time_limit #time_limit #deadline #expires #priority #early_ack)
    }
}

/// `= value`.
fn value<T: syn::parse::Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Nothing, or `= true`, or `= false`.
fn flag(input: ParseStream<'_>) -> syn::Result<bool> {
    if !input.peek(Token![=]) {
        return Ok(true);
    }
    input.parse::<Token![=]>()?;
    let fault = |error: syn::Error| syn::Error::new(error.span(), "a flag stands alone, or is `= true` or `= false`");
    input.parse::<LitBool>().map(|literal| literal.value).map_err(fault)
}

fn aliases(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    input.parse::<Token![=]>()?;
    let content;
    bracketed!(content in input);
    Ok(content.parse_terminated(text::name, Token![,])?.into_iter().collect())
}

fn priority(literal: &LitInt) -> syn::Result<u8> {
    let fault = || syn::Error::new(literal.span(), "a priority is 0 (lowest) to 9");
    literal.base10_parse::<u8>().ok().filter(|priority| *priority <= 9).ok_or_else(fault)
}
