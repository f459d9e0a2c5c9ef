//! An identity provider that answers as a test says, over HTTPS on loopback.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use aws_lc_rs::{
    cipher::{AES_128, AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey},
    encoding::AsDer as _,
    hmac,
    iv::FixedLength,
    rsa::{
        KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey,
        PrivateDecryptingKey,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// What the client decrypts with, in these tests. It takes long to make.
static CLIENT_KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec()
});

/// Writes the key of the client, as PEM.
pub(super) fn write_client_key(path: &Path) {
    let text = STANDARD.encode(&*CLIENT_KEY);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    std::fs::write(path, pem).unwrap();
}

/// Encrypts for the client (RFC 7516, RFC 7518 section 5.2).
pub(super) fn encrypted(header: &Value, content: &[u8]) -> String {
    let key = PrivateDecryptingKey::from_pkcs8(&CLIENT_KEY).unwrap().public_key();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let (cipher, mac, half) = match header["enc"].as_str() {
        Some("A128CBC-HS256") => (&AES_128, hmac::HMAC_SHA256, 16),
        _ => (&AES_256, hmac::HMAC_SHA512, 32),
    };
    let content_key = vec![7; 2 * half];
    let (mac_key, cipher_key) = content_key.split_at(half);
    let padding = match header["alg"].as_str() {
        Some("RSA-OAEP") => &OAEP_SHA1_MGF1SHA1,
        _ => &OAEP_SHA256_MGF1SHA256,
    };
    let mut wrapped = vec![0; key.ciphertext_size()];
    key.encrypt(padding, &content_key, &mut wrapped, None).unwrap();
    let iv = [9; 16];
    let cipher = UnboundCipherKey::new(cipher, cipher_key).unwrap();
    let mut content = content.to_vec();
    PaddedBlockEncryptingKey::cbc_pkcs7(cipher)
        .unwrap()
        .less_safe_encrypt(&mut content, EncryptionContext::Iv128(FixedLength::from(iv)))
        .unwrap();
    let protected = URL_SAFE_NO_PAD.encode(header.to_string());
    let bits = (protected.len() as u64 * 8).to_be_bytes();
    let authenticated = [protected.as_bytes(), &iv, &content, &bits].concat();
    let tag = hmac::sign(&hmac::Key::new(mac, mac_key), &authenticated);
    let parts = [&wrapped[..], &iv, &content, &tag.as_ref()[..half]];
    let parts = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    format!("{protected}.{parts}")
}

/// What is answered at one path.
#[derive(Clone)]
pub(super) enum Said {
    /// A whole answer.
    Answer(u16, String),
    /// An answer that is cut off in the middle.
    Cut(String),
    /// No answer.
    Silence,
}

/// The provider.
pub(super) struct Scripted {
    pub(super) issuer: String,
    /// The certificate to trust, PEM.
    pub(super) ca: PathBuf,
    script: Arc<Mutex<HashMap<String, Said>>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Scripted {
    /// Starts in the current runtime, with its certificate in `place`.
    pub(super) async fn start(place: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca = place.join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("https://{}", listener.local_addr().unwrap());
        let (script, asked) = (Arc::default(), Arc::default());
        let tls = TlsAcceptor::from(Arc::new(tls));
        let task = tokio::spawn({
            let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(answer(
                        tls.clone(),
                        stream,
                        Arc::clone(&script),
                        Arc::clone(&asked),
                    ));
                }
            }
        });
        Self { issuer, ca, script, asked, task }
    }

    pub(super) fn say(&self, path: &str, said: Said) {
        self.script.lock().unwrap().insert(path.to_owned(), said);
    }

    /// The answer at a path.
    pub(super) fn said(&self, path: &str) -> String {
        match self.script.lock().unwrap().get(path) {
            Some(Said::Answer(_, body)) => body.clone(),
            _ => String::new(),
        }
    }

    /// Publishes endpoints at paths of its own.
    pub(super) fn publish_discovery(&self) {
        let issuer = &self.issuer;
        let document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "jwks_uri": format!("{issuer}/jwks"),
        });
        self.say("/.well-known/openid-configuration", Said::Answer(200, document.to_string()));
    }

    /// The requests so far for a path, whole.
    pub(super) fn asked(&self, path: &str) -> Vec<String> {
        let of_path = |request: &&String| request.split(' ').nth(1) == Some(path);
        self.asked.lock().unwrap().iter().filter(of_path).cloned().collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request. The other side may have gone at any time.
async fn answer(
    tls: TlsAcceptor,
    stream: TcpStream,
    script: Arc<Mutex<HashMap<String, Said>>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let mut request = Vec::new();
    let length = loop {
        let mut more = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut more).await else { break 0 };
        request.extend_from_slice(&more[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let announced: usize = announced.map_or(0, |length| length.parse().unwrap());
        if body.len() >= announced {
            break announced;
        }
    };
    let text = String::from_utf8_lossy(&request).into_owned();
    debug_assert!(text.len() >= length);
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(text);
    let said = script.lock().unwrap().get(&path).cloned();
    let whole = |status: u16, length: usize, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let bytes = match said {
        Some(Said::Silence) => return std::future::pending().await,
        None => whole(404, 0, ""),
        Some(Said::Answer(status, body)) => whole(status, body.len(), &body),
        Some(Said::Cut(body)) => whole(200, body.len(), &body[..body.len() / 2]),
    };
    let _gone = stream.write_all(bytes.as_bytes()).await;
    let _gone = stream.shutdown().await;
}
