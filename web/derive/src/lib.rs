//! Derives `Encoded`, which `codec.rs` of the page describes.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Data, DeriveInput, Error, Fields, Member, Type};

/// Implements `crate::codec::Encoded`: the fields in their order, for an enum after a byte with the
/// number of the variant.
#[proc_macro_derive(Encoded)]
pub fn encoded(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand(&input));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let (variants, is_enum) = match &input.data {
        Data::Struct(data) => (vec![Variant::new(quote!(Self), &data.fields)], false),
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                Variant::new(quote!(Self::#name), &variant.fields)
            });
            (variants.collect(), true)
        }
        Data::Union(data) => {
            let why = "a union does not say which of its fields it has";
            return Err(Error::new_spanned(data.union_token, why));
        }
    };
    let name = &input.ident;
    let text = shape(name, &variants);
    let types = variants.iter().flat_map(|variant| &variant.types);
    let encode = variants
        .iter()
        .enumerate()
        .map(|(number, variant)| variant.encode(is_enum.then_some(number)));
    let decode = decode(&variants, is_enum)
        .ok_or_else(|| Error::new_spanned(name, "it has no variant, or more than 255"))?;
    Ok(quote! {
        impl crate::codec::Encoded for #name {
            const SHAPE: u64 = crate::codec::shape(
                #text,
                &[#(<#types as crate::codec::Encoded>::SHAPE),*],
            );

            fn encode(&self, to: &mut Vec<u8>) {
                match self { #(#encode)* }
            }

            fn decode(from: &mut crate::codec::Reader<'_>) -> Self {
                #decode
            }
        }
    })
}

/// All names and types, as text.
fn shape(name: &syn::Ident, variants: &[Variant]) -> String {
    let mut text = name.to_string();
    for variant in variants {
        text += &variant.path.to_string();
        for (member, kind) in variant.members.iter().zip(&variant.types) {
            let (member, kind) = (member.to_token_stream(), kind.to_token_stream());
            text += &format!("|{member}:{kind}");
        }
    }
    text
}

/// The first variant also stands for a number that does not exist, which the reader reports.
fn decode(variants: &[Variant], is_enum: bool) -> Option<TokenStream> {
    let (first, others) = variants.split_first()?;
    let first = first.decode();
    if !is_enum {
        return Some(first);
    }
    let count = u8::try_from(variants.len()).ok()?;
    let numbers = 1..count;
    let others = others.iter().map(Variant::decode);
    Some(quote! {
        match from.variant(#count) {
            #(#numbers => #others,)*
            _ => #first,
        }
    })
}

/// A variant of an enum, or the only one of a struct.
struct Variant {
    path: TokenStream,
    members: Vec<Member>,
    types: Vec<Type>,
}

impl Variant {
    fn new(path: TokenStream, fields: &Fields) -> Self {
        Self {
            path,
            members: fields.members().collect(),
            types: fields.iter().map(|field| field.ty.clone()).collect(),
        }
    }

    /// An arm of a `match`.
    fn encode(&self, number: Option<usize>) -> TokenStream {
        let Self {
            path,
            members,
            types,
        } = self;
        let names = (0..types.len()).map(|index| format_ident!("field{index}"));
        let (bound, written) = (names.clone(), names);
        let number = number.and_then(|number| u8::try_from(number).ok());
        let number = number.map(|number| quote!(to.push(#number);));
        quote! {
            #path { #(#members: #bound),* } => {
                #number
                #(crate::codec::Encoded::encode(#written, to);)*
            }
        }
    }

    /// An expression.
    fn decode(&self) -> TokenStream {
        let Self { path, members, .. } = self;
        quote!(#path { #(#members: crate::codec::Encoded::decode(from)),* })
    }
}
