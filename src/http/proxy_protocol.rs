//! The PROXY protocol, by which a proxy names the client of a connection: version 2 (binary) and version 1 (text).
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, 2020/03/05.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const SIGNATURE_1: &[u8] = b"PROXY ";
/// Bytes of the fixed part of version 2.
const FIXED_BYTES: usize = 16;
/// Shortest header of all: `PROXY UNKNOWN`.
const HEADER_BYTES_MIN: usize = 15;
/// Longest header of version 1.
const TEXT_BYTES_MAX: usize = 107;
/// Longest part of version 2 after the fixed one: addresses, and what else a proxy tells.
const DETAILS_BYTES_MAX: usize = 2048;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The start of a header, to which at least this many further bytes belong.
    Start(usize),
    /// A whole header and the address of the client; `None` if the proxy speaks for itself or knows no IP address.
    Whole(Option<IpAddr>),
}

/// Bytes that are no header: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PROXY protocol header")]
pub struct Malformed;

/// Reads a header, and not a byte more.
///
/// # Errors
/// The stream's error; [`Malformed`] as invalid data.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut bytes = Vec::new();
    loop {
        let fault = |malformed| io::Error::new(io::ErrorKind::InvalidData, malformed);
        match parse(&bytes).map_err(fault)? {
            Header::Whole(client) => return Ok(client),
            Header::Start(more) => {
                let known = bytes.len();
                bytes.resize(known + more, 0);
                stream.read_exact(&mut bytes[known..]).await?;
            }
        }
    }
}

/// Parses the first bytes of a connection. Bytes after a header of version 2 are ignored.
///
/// # Errors
/// [`Malformed`].
pub fn parse(bytes: &[u8]) -> Result<Header, Malformed> {
    let begins_with = |signature: &[u8]| bytes.iter().zip(signature).all(|(a, b)| a == b);
    if begins_with(SIGNATURE_2) || begins_with(SIGNATURE_1) {
        let missing = HEADER_BYTES_MIN.saturating_sub(bytes.len());
        if missing > 0 {
            Ok(Header::Start(missing))
        } else if begins_with(SIGNATURE_2) {
            parse_binary(bytes)
        } else {
            parse_text(bytes)
        }
    } else {
        Err(Malformed)
    }
}

fn parse_binary(bytes: &[u8]) -> Result<Header, Malformed> {
    let Some((fixed, details)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Header::Start(FIXED_BYTES - bytes.len()));
    };
    let [.., version_and_command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > DETAILS_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(details) = details.get(..length) else {
        return Ok(Header::Start(length - details.len()));
    };
    match version_and_command {
        // LOCAL: a connection of the proxy itself, such as a health check.
        0x20 => Ok(Header::Whole(None)),
        // PROXY.
        0x21 => client_of(family, details).map(Header::Whole),
        _ => Err(Malformed),
    }
}

/// The source address of a connection relayed by a proxy.
fn client_of(family: u8, details: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    match family {
        // TCP over IPv4: two addresses and two ports.
        0x11 if details.len() >= 12 => {
            Ok(details.first_chunk().map(|bytes: &[u8; 4]| Ipv4Addr::from(*bytes).into()))
        }
        // TCP over IPv6.
        0x21 if details.len() >= 36 => {
            Ok(details.first_chunk().map(|bytes: &[u8; 16]| Ipv6Addr::from(*bytes).into()))
        }
        // Unspecified, or UNIX sockets.
        0x00 | 0x31 | 0x32 => Ok(None),
        _ => Err(Malformed),
    }
}

fn parse_text(bytes: &[u8]) -> Result<Header, Malformed> {
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        return if bytes.len() >= TEXT_BYTES_MAX || bytes.contains(&b'\n') {
            Err(Malformed)
        } else {
            Ok(Header::Start(if bytes.ends_with(b"\r") { 1 } else { 2 }))
        };
    };
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(Malformed);
    }
    let line = str::from_utf8(line).map_err(|_| Malformed)?;
    let mut words = line.split(' ').skip(1);
    let mut word = || words.next().ok_or(Malformed);
    match word()? {
        "UNKNOWN" => Ok(Header::Whole(None)),
        protocol @ ("TCP4" | "TCP6") => {
            let [client, server] = [word()?, word()?].map(str::parse::<IpAddr>);
            let (client, server) = (client.map_err(|_| Malformed)?, server.map_err(|_| Malformed)?);
            let ports = [word()?, word()?];
            let fits = [client, server].iter().all(|ip| ip.is_ipv4() == (protocol == "TCP4"));
            if fits && ports.into_iter().all(is_port) && words.next().is_none() {
                Ok(Header::Whole(Some(client)))
            } else {
                Err(Malformed)
            }
        }
        _ => Err(Malformed),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(version_and_command: u8, family: u8, details: &[u8]) -> Vec<u8> {
        let length = u16::try_from(details.len()).unwrap().to_be_bytes();
        [SIGNATURE_2, &[version_and_command, family], &length, details].concat()
    }

    fn client(address: &str) -> Header {
        Header::Whole(Some(address.parse().unwrap()))
    }

    const NOBODY: Header = Header::Whole(None);

    #[test]
    fn the_longest_lines_of_the_specification_and_its_example_are_read() {
        let six = "ffff:f...f:ffff".replace("f...f", "ffff:ffff:ffff:ffff:ffff:ffff");
        for (line, expected) in [
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", client("255.255.255.255")),
            ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443", client("192.168.0.1")),
            (&format!("PROXY TCP6 {six} {six} 65535 65535"), client(&six)),
            ("PROXY UNKNOWN", NOBODY),
            (&format!("PROXY UNKNOWN {six} {six} 65535 65535"), NOBODY),
        ] {
            assert_eq!(parse(format!("{line}\r\n").as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_binary_header_names_the_client_whatever_else_it_tells() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 4, 1, 187];
        assert_eq!(parse(&binary(0x21, 0x11, &four)), Ok(client("192.0.2.1")));
        let more = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        assert_eq!(parse(&binary(0x21, 0x11, &more)), Ok(client("192.0.2.1")));
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(parse(&binary(0x21, 0x21, &six)), Ok(client("2001:db8::1")));
        for (command, family, details) in
            [(0x20, 0, &b""[..]), (0x20, 0x11, &four), (0x21, 0, b""), (0x21, 0x31, &[0; 216])]
        {
            assert_eq!(parse(&binary(command, family, details)), Ok(NOBODY));
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let four = [0; 12];
        for header in [
            binary(0x11, 0x11, &four),
            binary(0x22, 0x11, &four),
            binary(0x21, 0x12, &four),
            binary(0x21, 0x41, &four),
            binary(0x21, 0x11, &four[..11]),
            binary(0x21, 0x21, &[0; 35]),
            binary(0x21, 0x11, &[0; DETAILS_BYTES_MAX + 1]),
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03".to_vec(),
        ] {
            assert_eq!(parse(&header), Err(Malformed), "{}", header.escape_ascii());
        }
        for line in [
            "PROXY TCP4 ::1 ::1 1 1",
            "PROXY TCP6 192.0.2.1 192.0.2.1 1 1",
            "PROXY TCP4 192.0.2.1 192.0.2.1 1",
            "PROXY TCP4 192.0.2.1 192.0.2.1 1 1 1",
            "PROXY TCP4 192.0.2.1  192.0.2.1 1 1",
            "PROXY TCP4 192.0.2.1 192.0.2.1 1 65536",
            "PROXY TCP4 192.0.2.1 192.0.2.1 +1 1",
            "PROXY TCP4 192.0.2.1 192.0.2.01 1 1",
            "PROXY UDP4 192.0.2.1 192.0.2.1 1 1",
            "PROXY  UNKNOWN ",
            "PROXY TCP4 192.0.2.1 192.0.2.1\n",
            &format!("PROXY UNKNOWN {}", "x".repeat(TEXT_BYTES_MAX)),
        ] {
            assert_eq!(parse(format!("{line}\r\n").as_bytes()), Err(Malformed), "{line}");
        }
    }

    #[tokio::test]
    async fn a_header_is_read_to_its_end_and_nothing_of_what_follows() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 4, 1, 187];
        for header in [
            binary(0x21, 0x11, &four),
            binary(0x20, 0, b""),
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY TCP6 2001:db8::1 2001:db8::2 1 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.10 192.0.2.2 50000 443\r\n".to_vec(),
        ] {
            let sent = [&header[..], b"follows"].concat();
            let mut rest = &sent[..];
            assert!(read(&mut rest).await.is_ok());
            assert_eq!(rest, b"follows", "{}", header.escape_ascii());
            let cut = read(&mut &header[..header.len() - 1]).await;
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
