//! What the types promise, by what does not compile, with the compiler's own reason.

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
