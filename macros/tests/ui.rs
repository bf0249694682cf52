//! Mistakes are compile errors at the wrong token, with a text that says what to write instead.
//!
//! `TRYBUILD=overwrite cargo test -p celeriac-macros --test ui` writes the expected texts anew; read the difference.

#[test]
fn mistakes_do_not_compile_and_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
