//! The first bytes of a connection from a proxy: no more is read than belongs to the header, and an address is one that
//! the header holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sportello::http::proxy_protocol::{Header, parse};

/// The longest header that is accepted.
const HEADER_BYTES_MAX: usize = 16 + 2048;

fuzz_target!(|bytes: &[u8]| {
    // As the server reads it: what the parser asks for, and not a byte more.
    let mut known = 0;
    let read = loop {
        match parse(&bytes[..known]) {
            Ok(Header::Start(more)) => {
                assert!(more > 0 && known + more <= HEADER_BYTES_MAX);
                if known + more > bytes.len() {
                    return;
                }
                known += more;
            }
            Ok(Header::Whole(client)) => break client,
            Err(_) => return,
        }
    };
    let header = &bytes[..known];
    let Some(client) = read else { return };
    if header.starts_with(b"PROXY ") {
        assert!(header.ends_with(b"\r\n") && header.is_ascii(), "{header:?}");
        let text = String::from_utf8_lossy(header);
        let word = text.split(' ').nth(2).expect("an address");
        assert_eq!(word.parse(), Ok(client), "{text}");
    } else {
        let octets = match client {
            std::net::IpAddr::V4(four) => four.octets().to_vec(),
            std::net::IpAddr::V6(six) => six.octets().to_vec(),
        };
        assert!(header[16..].starts_with(&octets), "{header:?}");
    }
    for cut in 0..known {
        assert!(matches!(parse(&header[..cut]), Ok(Header::Start(more)) if cut + more <= known));
    }
});
