use syn::{Expr, ExprLit, Lit};

use super::{Lock, Weight};
use crate::{
    function::Errors,
    parameter::{Parameter, find},
};

/// Checks the locks against the task's arguments and against each other.
pub(in crate::options) fn check(locks: &[Lock], parameters: &[Parameter]) -> syn::Result<()> {
    let mut errors = Errors::default();
    for (index, lock) in locks.iter().enumerate() {
        for (part, argument) in lock.key.iter().enumerate() {
            match find(argument, parameters) {
                Ok(parameter) if parameter.is_secret() => {
                    let fault = "a lock's key is shown to operators, and this argument is secret; lock on another, such as an id";
                    errors.add(syn::Error::new(argument.span(), fault));
                }
                Ok(_) if lock.key[..part].contains(argument) => {
                    errors.add(syn::Error::new(argument.span(), "it is part of the key already"));
                }
                Ok(_) => {}
                Err(error) => errors.add(error),
            }
        }
        match &lock.weight {
            Some(Weight::Argument(argument)) => {
                errors.keep(find(argument, parameters).map(drop));
            }
            Some(Weight::Number(literal, weight))
                if number(lock.leases.as_ref()).is_some_and(|leases| *weight > leases) =>
            {
                errors.add(syn::Error::new(literal.span(), "it is above `leases`, so no run could ever hold it"));
            }
            _ => {}
        }
        errors.keep(alone(lock, &locks[..index]));
    }
    errors.finish()
}

/// Refuses a lock that is there already, and one name with two numbers of leases.
fn alone(lock: &Lock, earlier: &[Lock]) -> syn::Result<()> {
    let name = |lock: &Lock| lock.name.as_ref().map(syn::LitStr::value);
    for other in earlier.iter().filter(|other| other.kind == lock.kind && name(other) == name(lock)) {
        if other.key == lock.key {
            return Err(syn::Error::new(lock.span, "this lock is given already"));
        }
        if let (Some(_), Some(leases), Some(others)) =
            (&lock.name, number(lock.leases.as_ref()), number(other.leases.as_ref()))
            && leases != others
        {
            let fault = format!("one name has one number of leases, and it was {others} before");
            return Err(syn::Error::new(lock.span, fault));
        }
    }
    Ok(())
}

/// The number of a literal.
fn number(expression: Option<&Expr>) -> Option<u32> {
    match expression? {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.base10_parse().ok(),
        _ => None,
    }
}
