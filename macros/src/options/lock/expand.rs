use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, LitStr, ext::IdentExt as _};

use super::{Kind, Lock, Weight};
use crate::options::duration::{self, Limit};

/// `LOCKS` and `locks`, where there are any.
pub(in crate::options) fn items(locks: &[Lock], task: &str, private: &TokenStream) -> Option<TokenStream> {
    if locks.is_empty() {
        return None;
    }
    let declared = locks.iter().map(|lock| lock.declaration(task, private));
    let taken = locks.iter().map(|lock| lock.taken(task, private));
    let count = locks.len();
    Some(quote! {
        const LOCKS: &'static [#private::DeclaredLock] = &[#(#declared),*];

        fn locks(&self) -> ::std::vec::Vec<#private::LockSpec> {
            let mut __locks = ::std::vec::Vec::with_capacity(#count);
            #(#taken)*
            __locks
        }
    })
}

impl Lock {
    /// Its own, or the task's.
    fn name(&self, task: &str) -> String {
        self.name.as_ref().map_or_else(|| task.to_owned(), LitStr::value)
    }

    fn declaration(&self, task: &str, private: &TokenStream) -> TokenStream {
        let name = self.name(task);
        let ttl = self.ttl.as_ref().map(|ttl| ttl.setting(private));
        match self.kind {
            Kind::Mutex => quote!(#private::DeclaredLock::mutex(#name) #ttl),
            Kind::Rate => quote!(#private::DeclaredLock::rate(#name)),
            Kind::Semaphore => {
                let leases = &self.leases;
                quote!(#private::DeclaredLock::semaphore(#name, #leases) #ttl)
            }
        }
    }

    /// Pushes it, unless a part of its key is `None`.
    fn taken(&self, task: &str, private: &TokenStream) -> TokenStream {
        let parts: Vec<Ident> = (0..self.key.len()).map(|index| format_ident!("__part_{index}")).collect();
        let spec = self.spec(task, &parts, private);
        if parts.is_empty() {
            return quote!(__locks.push(#spec););
        }
        // What is no part of a key shows up where it is named.
        let values = self
            .key
            .iter()
            .map(|argument| quote_spanned!(argument.span()=> #private::LockPart::lock_part(&self.#argument)));
        quote! {
            if let (#(::core::option::Option::Some(#parts),)*) = (#(#values,)*) {
                __locks.push(#spec);
            }
        }
    }

    fn spec(&self, task: &str, parts: &[Ident], private: &TokenStream) -> TokenStream {
        let (name, label) = (self.name(task), self.label());
        // In a lock of the task's own the values stand beside their arguments' names.
        let parts = parts.iter().zip(&self.key).map(|(part, argument)| {
            if self.name.is_some() {
                return quote!(#part);
            }
            let prefix = format!("{}=", argument.unraw());
            quote!(::std::string::String::from(#prefix) + &#part)
        });
        let key = quote!([#(#parts),*]);
        let constructor = match (self.kind, &self.rate) {
            (Kind::Rate, Some(rate)) => {
                let (count, seconds) = (rate.count, rate.seconds);
                let burst = self.burst.as_ref().map(|burst| quote!(.burst(#burst)));
                quote!(rate(#name, #key, #private::Pace::new(#count, #private::Duration::from_secs(#seconds)) #burst))
            }
            (Kind::Semaphore, _) => {
                let leases = &self.leases;
                quote!(semaphore(#name, #key, #leases))
            }
            _ => quote!(mutex(#name, #key)),
        };
        let weight = self.weight.as_ref().map(|weight| match weight {
            Weight::Number(_, number) => quote!(.weight(#number)),
            Weight::Argument(argument) => {
                let weight = quote_spanned!(argument.span()=> #private::LockWeight::lock_weight(&self.#argument));
                quote!(.weight(#weight))
            }
        });
        let ttl = self.ttl.as_ref().map(|ttl| ttl.setting(private));
        let busy = self.busy.as_ref().map(|busy| {
            let busy = busy.tokens(private);
            quote!(.busy(#busy))
        });
        quote!(#private::LockSpec::#constructor.label(#label) #weight #ttl #busy)
    }

    /// By what a handler finds it.
    fn label(&self) -> String {
        match &self.name {
            Some(name) => name.value(),
            None if self.key.is_empty() => self.kind.as_str().to_owned(),
            None => self.key.iter().map(|argument| argument.unraw().to_string()).collect::<Vec<_>>().join(","),
        }
    }
}

impl Limit {
    fn setting(&self, private: &TokenStream) -> TokenStream {
        let duration = duration::tokens(self.duration, private);
        quote!(.ttl(#duration))
    }
}
