//! `mutex(..)`, `semaphore(..)` and `rate(..)`.

mod busy;
mod check;
mod expand;
mod rate;

pub(super) use self::{check::check, expand::items};

use proc_macro2::Span;
use syn::{
    Expr, ExprLit, Ident, Lit, LitInt, LitStr, Token,
    ext::IdentExt as _,
    parenthesized,
    parse::{ParseBuffer, ParseStream},
    token,
};

use self::{busy::Busy, rate::Rate};
use super::{duration::Limit, text, value};
use crate::suggest;

/// What a run must hold.
pub(super) struct Lock {
    kind: Kind,
    /// The option's name, for faults that no token of its own shows.
    span: Span,
    /// What several tasks may name; without it the lock belongs to the task.
    name: Option<LitStr>,
    key: Vec<Ident>,
    leases: Option<Expr>,
    weight: Option<Weight>,
    ttl: Option<Limit>,
    busy: Option<Busy>,
    rate: Option<Rate>,
    burst: Option<LitInt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mutex,
    Semaphore,
    Rate,
}

/// How many leases a run takes.
enum Weight {
    Number(LitInt, u32),
    Argument(Ident),
}

/// Whether it is an option that may be given several times.
pub(super) fn is_kind(option: &Ident) -> bool {
    Kind::of(option).is_some()
}

impl Kind {
    fn of(option: &Ident) -> Option<Self> {
        match option.to_string().as_str() {
            "mutex" => Some(Self::Mutex),
            "semaphore" => Some(Self::Semaphore),
            "rate" => Some(Self::Rate),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::Semaphore => "semaphore",
            Self::Rate => "rate",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Mutex => &["key", "ttl", "busy"],
            Self::Semaphore => &["key", "leases", "weight", "ttl", "busy"],
            Self::Rate => &["key", "weight", "burst"],
        }
    }
}

impl Lock {
    /// Reads what stands behind the option's name.
    pub(super) fn parse(option: &Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let kind = Kind::of(option).unwrap_or(Kind::Mutex);
        let mut lock = Self {
            kind,
            span: option.span(),
            name: None,
            key: Vec::new(),
            leases: None,
            weight: None,
            ttl: None,
            busy: None,
            rate: None,
            burst: None,
        };
        if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            lock.parts(&content)?;
        }
        match kind {
            Kind::Semaphore if lock.leases.is_none() => {
                Err(syn::Error::new(lock.span, "a semaphore has a number of leases: write `leases = 3`"))
            }
            Kind::Rate if lock.rate.is_none() => {
                Err(syn::Error::new(lock.span, "a rate says how many per how long: write `rate(\"10/s\")`"))
            }
            _ => Ok(lock),
        }
    }

    fn parts(&mut self, content: &ParseBuffer<'_>) -> syn::Result<()> {
        let mut seen = Vec::new();
        while !content.is_empty() {
            if content.peek(LitStr) {
                self.literal(content.parse()?)?;
            } else if content.peek(Ident::peek_any) && content.peek2(Token![=]) {
                let option = content.call(Ident::parse_any)?;
                if seen.contains(&option) {
                    return Err(syn::Error::new(option.span(), format!("`{option}` is given twice")));
                }
                self.option(&option, content)?;
                seen.push(option);
            } else {
                self.argument(content.call(Ident::parse_any)?)?;
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        match (&self.name, self.key.first()) {
            (Some(_), Some(argument)) if !seen.iter().any(|option| option == "key") => {
                Err(syn::Error::new(argument.span(), format!("beside a name, write `key = {argument}`")))
            }
            _ => Ok(()),
        }
    }

    /// A name, or a rate's pace.
    fn literal(&mut self, literal: LitStr) -> syn::Result<()> {
        let is_pace = |text: &str| text.contains('/') || text.starts_with(|c: char| c.is_ascii_digit());
        if self.kind == Kind::Rate && is_pace(&literal.value()) {
            if self.rate.is_some() {
                return Err(syn::Error::new(literal.span(), "the pace is given twice"));
            }
            self.rate = Some(Rate::read(&literal)?);
            return Ok(());
        }
        if self.name.is_some() {
            return Err(syn::Error::new(literal.span(), "the name is given twice"));
        }
        text::check_name(&literal)?;
        self.name = Some(literal);
        Ok(())
    }

    fn argument(&mut self, argument: Ident) -> syn::Result<()> {
        if self.kind != Kind::Mutex {
            return Err(syn::Error::new(argument.span(), format!("write `key = {argument}`")));
        }
        self.key.push(argument);
        Ok(())
    }

    fn option(&mut self, option: &Ident, content: &ParseBuffer<'_>) -> syn::Result<()> {
        let (kind, name) = (self.kind, option.to_string());
        if !kind.options().contains(&name.as_str()) {
            let what = format!("{} option", kind.as_str());
            return Err(syn::Error::new(option.span(), suggest::unknown(&what, &name, kind.options())));
        }
        match name.as_str() {
            "key" if !self.key.is_empty() => return Err(syn::Error::new(option.span(), "the key is given twice")),
            "key" => self.key = key(content)?,
            "leases" => self.leases = Some(leases(value(content)?)?),
            "weight" => self.weight = Some(weight(content)?),
            "ttl" => self.ttl = Some(ttl(value(content)?)?),
            "busy" => self.busy = Some(value(content)?),
            _ => self.burst = Some(at_least_one(value(content)?, "a burst of 0 would let nothing through")?),
        }
        Ok(())
    }
}

/// `= argument`, or `= (one, another)`.
fn key(content: &ParseBuffer<'_>) -> syn::Result<Vec<Ident>> {
    content.parse::<Token![=]>()?;
    let key = arguments(content)?;
    if !content.is_empty() && !content.peek(Token![,]) {
        return Err(syn::Error::new(content.span(), "a key is made of arguments as they are, and of no expressions"));
    }
    Ok(key)
}

fn arguments(content: &ParseBuffer<'_>) -> syn::Result<Vec<Ident>> {
    if !content.peek(token::Paren) {
        let fault = |error: syn::Error| {
            syn::Error::new(error.span(), "a key is an argument, or several: `key = dealer`, `key = (dealer, region)`")
        };
        return Ok(vec![content.call(Ident::parse_any).map_err(fault)?]);
    }
    let inner;
    let paren = parenthesized!(inner in content);
    let parts: Vec<Ident> = inner.parse_terminated(Ident::parse_any, Token![,])?.into_iter().collect();
    if parts.is_empty() {
        return Err(syn::Error::new(paren.span.join(), "a key has at least one argument; leave it out for none"));
    }
    Ok(parts)
}

fn leases(number: Expr) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) = &number {
        at_least_one(literal.clone(), "with 0 leases nobody could ever hold it")?;
    }
    Ok(number)
}

fn weight(content: &ParseBuffer<'_>) -> syn::Result<Weight> {
    content.parse::<Token![=]>()?;
    if content.peek(LitInt) {
        let literal = at_least_one(content.parse()?, "a weight of 0 would take nothing")?;
        let number = literal.base10_parse()?;
        return Ok(Weight::Number(literal, number));
    }
    let fault = |error: syn::Error| syn::Error::new(error.span(), "a weight is a number, or an argument that is one");
    content.call(Ident::parse_any).map(Weight::Argument).map_err(fault)
}

fn ttl(limit: Limit) -> syn::Result<Limit> {
    if limit.duration.as_millis() < 100 {
        let fault = "a lease of less than 100ms would be lost to a busy machine; 15s is the default";
        return Err(syn::Error::new(limit.literal.span(), fault));
    }
    Ok(limit)
}

fn at_least_one(literal: LitInt, fault: &str) -> syn::Result<LitInt> {
    match literal.base10_parse::<u32>()? {
        0 => Err(syn::Error::new(literal.span(), fault)),
        _ => Ok(literal),
    }
}
