//! Names, of tasks and of queues.

use syn::{Expr, ExprLit, Lit, LitStr, parse::ParseStream};

/// AMQP's short strings.
const MAX_NAME: usize = 255;

/// What a delayed copy's routing key leaves, less `.dead`.
const MAX_QUEUE: usize = 194;

/// A task's name.
pub(super) fn name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let fault = |error: syn::Error| {
        syn::Error::new(error.span(), "write the name out, in quotes: it must not change when the code does")
    };
    let literal = input.parse::<LitStr>().map_err(fault)?;
    check_name(&literal)?;
    Ok(literal)
}

/// What a task or a lock can be called.
pub(super) fn check_name(literal: &LitStr) -> syn::Result<()> {
    let name = literal.value();
    let fault = if name.is_empty() {
        "the name is empty"
    } else if name.len() > MAX_NAME {
        "the name has more than 255 bytes, and a message has room for 255"
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        "the name has white space in it; write `area.verb`"
    } else {
        return Ok(());
    };
    Err(syn::Error::new(literal.span(), fault))
}

/// A queue's name; checked where it is written out.
pub(super) fn queue(value: Expr) -> syn::Result<Expr> {
    let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = &value else { return Ok(value) };
    let name = literal.value();
    let fault = if name.is_empty() {
        "the queue's name is empty"
    } else if name.len() > MAX_QUEUE {
        "the queue's name has more than 194 bytes; a delayed message's routing key has no room for more"
    } else if name.chars().any(|c| c.is_control() || c == '*' || c == '#') {
        "the queue's name has a control character, `*` or `#`"
    } else {
        return Ok(value);
    };
    Err(syn::Error::new(literal.span(), fault))
}
