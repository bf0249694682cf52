//! `impl Task`, and the struct that carries the arguments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Ident, Type, Visibility};

use crate::{options::Options, parameter::Parameter};

/// A task's contract: what producers and workers agree on.
pub(crate) struct Contract {
    pub(crate) options: Options,
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// What stands on the struct.
    pub(crate) attributes: Vec<Attribute>,
    /// What stands on each of its impls.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Type,
    /// Derives that the user has written already, by the last segments of their paths.
    pub(crate) derived: Vec<String>,
}

impl Contract {
    /// The struct, its serde impls, `Debug` and `Task`.
    pub(crate) fn expand(&self) -> TokenStream {
        let Self { ident, cfgs, output, .. } = self;
        let private = self.options.private();
        let structure = self.structure(&private);
        let debug = self.debug(&private);
        let args = self.parameters.iter().map(|parameter| parameter.describe(&private));
        let items = self.options.items();
        quote! {
            #structure
            #debug
            #(#cfgs)*
            impl #private::Task for #ident {
                #items
                const ARGS: &'static [#private::Arg] = &[#(#args),*];
                type Output = #output;
            }
        }
    }

    fn structure(&self, private: &TokenStream) -> TokenStream {
        let Self { ident, vis, attributes, cfgs, parameters, .. } = self;
        let missing = |name: &str| !self.derived.iter().any(|derived| derived == name);
        let derives = self.options.derive.as_ref().map(|(_, derives)| quote!(#[derive(#derives)]));
        if parameters.is_empty() {
            let serialize = missing("Serialize").then(|| self.serialize_empty(private));
            let deserialize = missing("Deserialize").then(|| self.deserialize_empty(private));
            return quote! {
                #(#attributes)*
                #derives
                #vis struct #ident;
                #serialize
                #deserialize
            };
        }
        let serialize = missing("Serialize").then(|| quote!(#[derive(#private::serde::Serialize)]));
        let deserialize = missing("Deserialize").then(|| quote!(#[derive(#private::serde::Deserialize)]));
        let serde = quote!(#private::serde).to_string();
        let serde = (serialize.is_some() || deserialize.is_some()).then(|| quote!(#[serde(crate = #serde)]));
        let fields = parameters.iter().map(|parameter| parameter.field(ident));
        let defaults: Vec<_> = parameters.iter().filter_map(Parameter::default_value).collect();
        let defaults = (!defaults.is_empty()).then(|| quote!(#(#cfgs)* impl #ident { #(#defaults)* }));
        quote! {
            #serialize
            #deserialize
            #derives
            #serde
            #(#attributes)*
            #vis struct #ident {
                #(#fields,)*
            }
            #defaults
        }
    }

    /// A unit struct travels as an empty object, as any task without arguments.
    fn serialize_empty(&self, private: &TokenStream) -> TokenStream {
        let Self { ident, cfgs, .. } = self;
        let name = ident.to_string();
        quote! {
            #(#cfgs)*
            #[automatically_derived]
            impl #private::serde::Serialize for #ident {
                fn serialize<__S: #private::serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    let empty = #private::serde::Serializer::serialize_struct(serializer, #name, 0)?;
                    #private::serde::ser::SerializeStruct::end(empty)
                }
            }
        }
    }

    fn deserialize_empty(&self, private: &TokenStream) -> TokenStream {
        let Self { ident, cfgs, .. } = self;
        quote! {
            #(#cfgs)*
            #[automatically_derived]
            impl<'de> #private::serde::Deserialize<'de> for #ident {
                fn deserialize<__D: #private::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::core::result::Result<Self, __D::Error> {
                    <#private::serde::de::IgnoredAny as #private::serde::Deserialize>::deserialize(deserializer)?;
                    ::core::result::Result::Ok(#ident)
                }
            }
        }
    }

    /// `Debug`, which masks secrets.
    fn debug(&self, private: &TokenStream) -> Option<TokenStream> {
        if self.derived.iter().any(|derived| derived == "Debug") {
            return None;
        }
        let Self { ident, cfgs, parameters, .. } = self;
        let name = ident.to_string();
        let fields = parameters.iter().map(|parameter| {
            let (name, field) = (parameter.name(), &parameter.ident);
            if parameter.is_secret() {
                quote!(.field(#name, &::core::format_args!("***")))
            } else {
                quote!(.field(#name, &self.#field))
            }
        });
        Some(quote! {
            #(#cfgs)*
            #[automatically_derived]
            impl #private::Debug for #ident {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.debug_struct(#name) #(#fields)* .finish()
                }
            }
        })
    }
}
