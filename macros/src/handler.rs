//! `impl Handler`: calls the function with the arguments of a message.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, Type, spanned::Spanned as _};

use crate::contract::Contract;

/// The function that runs a task.
pub(crate) struct Function {
    pub(crate) ident: Ident,
    /// The state that its context names, where it takes a context.
    pub(crate) state: Option<Type>,
    /// Where its return type stands.
    pub(crate) output_span: Span,
}

impl Function {
    /// `impl Handler<State>`, or for every state where the function takes no context.
    pub(crate) fn expand(&self, contract: &Contract) -> TokenStream {
        let Self { ident: function, state, output_span } = self;
        let Contract { ident, cfgs, parameters, .. } = contract;
        let private = contract.options.private();
        let (generics, any) = match state {
            Some(_) => (None, None),
            None => (Some(quote!(<__S: ::core::marker::Send + ::core::marker::Sync + 'static>)), Some(quote!(__S))),
        };
        let state = state.as_ref().map_or(any, |state| Some(quote!(#state)));
        let context = self.state.as_ref().map(|_| quote!(__ctx,));
        let check = contract.options.check.as_ref().map(|(_, check)| {
            let context = self.state.as_ref().map(|_| quote!(, __ctx));
            // An answer that is none shows up where the function is named.
            let answer = quote_spanned!(check.span()=> #private::IntoCheck::into_check(#check(self #context).await));
            quote! {
                async fn check(
                    &self,
                    __ctx: &#private::Context<#state>,
                ) -> ::core::result::Result<#private::Check, #private::TaskError> {
                    #answer
                }
            }
        });
        let arguments = parameters.iter().map(|parameter| &parameter.ident);
        // An error that is no TaskError shows up where the return type stands.
        let converted = quote_spanned! {Span::call_site().located_at(*output_span)=>
            ::core::result::Result::map_err(__result, ::core::convert::Into::into)
        };
        quote! {
            #(#cfgs)*
            impl #generics #private::Handler<#state> for #ident {
                #[allow(clippy::useless_conversion, reason = "the function's error may be another one")]
                async fn run(
                    self,
                    __ctx: #private::Context<#state>,
                ) -> ::core::result::Result<<Self as #private::Task>::Output, #private::TaskError> {
                    let __result = #function(#context #(self.#arguments),*).await;
                    #converted
                }

                #check
            }
        }
    }
}
