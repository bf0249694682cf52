//! One argument of a task.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Expr, Ident, Token, Type, Visibility, ext::IdentExt as _, parse::ParseStream};

use crate::{owned, suggest};

/// One argument of a task.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) vis: Visibility,
    /// What stands on the field: documentation, serde's, and on a struct whatever other derives read.
    attributes: Vec<Attribute>,
    arg: ArgOptions,
}

/// What stands in `#[arg(..)]`.
#[derive(Default)]
struct ArgOptions {
    missing: Missing,
    secret: bool,
}

/// What stands in the stead of a missing value.
#[derive(Default)]
enum Missing {
    #[default]
    Refused,
    Default,
    Value(Expr),
}

impl Parameter {
    /// Takes `#[arg]`, `#[serde]` and documentation out of `attributes`, and checks the type.
    pub(crate) fn new(ident: Ident, ty: Type, vis: Visibility, attributes: &mut Vec<Attribute>) -> syn::Result<Self> {
        owned::check(&ty, "an argument")?;
        let mut arg = None;
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for attribute in attributes.drain(..) {
            if attribute.path().is_ident("arg") {
                if arg.is_some() {
                    return Err(syn::Error::new_spanned(attribute, "`#[arg]` is given twice; put all of it in one"));
                }
                arg = Some(attribute.parse_args_with(ArgOptions::parse)?);
            } else if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
                return Err(syn::Error::new_spanned(attribute, "the arguments of a task are the same in every build"));
            } else if attribute.path().is_ident("serde") {
                check_serde(&attribute)?;
                taken.push(attribute);
            } else if attribute.path().is_ident("doc") {
                taken.push(attribute);
            } else {
                rest.push(attribute);
            }
        }
        *attributes = rest;
        Ok(Self { ident, ty, vis, attributes: taken, arg: arg.unwrap_or_default() })
    }

    /// The same, with these on the field as well.
    pub(crate) fn with_attributes(mut self, attributes: Vec<Attribute>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.arg.secret
    }

    fn is_optional(&self) -> bool {
        !matches!(self.arg.missing, Missing::Refused) || owned::arguments_of(&self.ty, "Option").is_some()
    }

    /// `Arg::required("x")`, or what it is instead.
    pub(crate) fn describe(&self, private: &TokenStream) -> TokenStream {
        let name = self.name();
        let kind = if self.is_optional() { quote!(optional) } else { quote!(required) };
        let secret = self.arg.secret.then(|| quote!(.secret()));
        quote!(#private::Arg::#kind(#name) #secret)
    }

    /// The struct's field.
    pub(crate) fn field(&self, owner: &Ident) -> TokenStream {
        let Self { ident, ty, vis, attributes, .. } = self;
        let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
        let doc = (!documented).then(|| {
            let text = format!("The argument `{}`.", self.name());
            quote!(#[doc = #text])
        });
        let default = match &self.arg.missing {
            Missing::Value(_) => {
                let path = format!("{owner}::{}", self.default_fn());
                Some(quote!(#[serde(default = #path)]))
            }
            Missing::Default => Some(quote!(#[serde(default)])),
            Missing::Refused => self.is_optional().then(|| quote!(#[serde(default)])),
        };
        quote!(#doc #(#attributes)* #default #vis #ident: #ty)
    }

    fn default_fn(&self) -> Ident {
        format_ident!("__default_{}", self.ident.unraw())
    }

    /// The function that serde calls for a missing value.
    pub(crate) fn default_value(&self) -> Option<TokenStream> {
        let Missing::Value(value) = &self.arg.missing else { return None };
        let (name, ty) = (self.default_fn(), &self.ty);
        Some(quote! {
            #[doc(hidden)]
            fn #name() -> #ty { #value }
        })
    }
}

impl ArgOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let option = input.call(Ident::parse_any)?;
            let twice = || syn::Error::new(option.span(), format!("`{option}` is given twice"));
            match option.to_string().as_str() {
                "secret" if options.secret => return Err(twice()),
                "secret" => options.secret = true,
                "default" if !matches!(options.missing, Missing::Refused) => return Err(twice()),
                "default" if input.peek(Token![=]) => {
                    input.parse::<Token![=]>()?;
                    options.missing = Missing::Value(input.parse()?);
                }
                "default" => options.missing = Missing::Default,
                other => {
                    let fault = suggest::unknown("option of `arg`", other, &["default", "secret"]);
                    return Err(syn::Error::new(option.span(), fault));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

/// The parameter that `argument` names.
pub(crate) fn find<'a>(argument: &Ident, parameters: &'a [Parameter]) -> syn::Result<&'a Parameter> {
    let found = parameters.iter().find(|parameter| parameter.ident.unraw() == argument.unraw());
    found.ok_or_else(|| {
        let names: Vec<String> = parameters.iter().map(Parameter::name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let fault = match names.as_slice() {
            [] => format!("the task has no argument `{argument}`; it has none"),
            names => suggest::unknown("argument", &argument.to_string(), names),
        };
        syn::Error::new(argument.span(), fault)
    })
}

/// Arguments bind by the names of the parameters, so serde must use the same.
pub(crate) fn check_serde(attribute: &Attribute) -> syn::Result<()> {
    attribute.parse_nested_meta(|meta| {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let fault = match name.as_str() {
            "rename"
            | "rename_all"
            | "rename_all_fields"
            | "alias"
            | "flatten"
            | "transparent"
            | "tag"
            | "untagged"
            | "from"
            | "into"
            | "try_from"
            | "remote"
            | "skip"
            | "skip_serializing"
            | "skip_deserializing"
            | "deny_unknown_fields" => {
                "callers bind arguments by the names that are written here; serde can't change what travels"
            }
            "default" => "write `#[arg(default)]` or `#[arg(default = ..)]`: callers have to know it too",
            "crate" => "write `crate = path` in `#[task(..)]`",
            _ => {
                // What follows an option that is serde's business.
                if meta.input.peek(Token![=]) {
                    meta.value()?.parse::<Expr>()?;
                } else if meta.input.peek(syn::token::Paren) {
                    meta.input.parse::<proc_macro2::Group>()?;
                }
                return Ok(());
            }
        };
        Err(meta.error(fault))
    })
}
