//! Random bytes from the operating system, and 32-byte values in hexadecimal.

use aws_lc_rs::rand::SecureRandom as _;

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
/// If the operating system returns no random bytes; nothing safe can be done then.
pub fn fill_random(bytes: &mut [u8]) {
    aws_lc_rs::rand::SystemRandom::new().fill(bytes).expect("the system gives random bytes");
}

/// Decodes exactly 64 hexadecimal digits; `None` for any other text.
#[must_use]
pub fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
