//! `Debug` for types that hold personal data.

/// Implements `Debug` for each type so that it prints the type's name and no field.
macro_rules! debug_without_contents {
    ($($name:ident),*) => {$(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
pub(crate) use debug_without_contents;
