//! The console of the operator listener: what it shows, how it follows, and what it costs nobody.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::harness::{Counter, EVENING, PATIENCE, finished, program, until};

/// Streams that may be live at a time.
const STREAMS_MAX: usize = 16;

/// The status and header of an answer of the operator listener, lower-case, and its content.
async fn ask(counter: &Counter, method: &str, path: &str, host: &str) -> (u16, String, String) {
    let mut stream = connect(counter).await;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept-language: en-GB\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), content.to_owned())
}

async fn connect(counter: &Counter) -> TcpStream {
    TcpStream::connect(counter.operator.strip_prefix("http://").unwrap()).await.unwrap()
}

async fn page(counter: &Counter, path: &str) -> String {
    let (status, _, page) = ask(counter, "GET", path, "localhost").await;
    assert_eq!(status, 200, "{page}");
    page
}

/// A live stream of events.
struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    /// Opens one; the status if it is refused.
    async fn open(counter: &Counter) -> Result<Self, u16> {
        let mut stream = connect(counter).await;
        stream.write_all(b"GET /en/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let status = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let status = status[9..12].parse().unwrap();
        if status == 200 { Ok(Self(lines)) } else { Err(status) }
    }

    /// The pieces in the next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<BTreeMap<String, String>> {
        loop {
            let line = timeout(PATIENCE, self.0.next_line()).await.unwrap().ok()??;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn the_console_shows_what_the_metrics_page_shows_and_nothing_personal() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    for n in 0..3 {
        counter.citizen(n + 2).await.apply("key").await;
    }
    counter.all_decided().await;
    until("the balance is even", async || {
        let page = page(&counter, "/").await;
        let even = "3 accepted = 3 decided + 0 undecided + 0 withdrawn before a decision";
        (page.contains(even) && page.contains(">Even<")).then_some(())
    })
    .await;
    let page = page(&counter, "/").await;
    for shown in [
        "3 accepted since the ledger began",
        "4 since the start",
        "4 of citizens, 0 of intermediaries",
        "Nothing needs you now.",
        "Monday 16 September 2024 at 17:3",
        "<h3>Citizens</h3>",
        "14 hours and ",
        "opens in 14 hours",
        "p99",
        concat!("Version ", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(!page.contains(citizen.code.as_str()) && !page.contains(&citizen.token));
    assert_eq!(counter.metric("sportello_sessions_opened_total", &["citizens"]).await, 4);
}

#[tokio::test]
async fn the_page_loads_only_its_own_files_and_works_without_a_script() {
    let counter = Counter::open();
    let (status, head, live) = ask(&counter, "GET", "/", "127.0.0.1").await;
    assert_eq!(status, 200);
    let policy = "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'; \
                  connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for field in [policy, "cache-control: no-store", "x-content-type-options: nosniff"] {
        assert!(head.contains(field), "{field} is not in {head}");
    }
    let urls = |page: &str| {
        let parts = page.split(['"', '\'']).filter(|part| part.starts_with('/'));
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let files: Vec<_> =
        urls(&live).into_iter().filter(|url| url.starts_with("/console/")).collect();
    assert_eq!(files.len(), 3, "style sheet, icon, script: {files:?}");
    for file in &files {
        let (status, head, content) = ask(&counter, "GET", file, "127.0.0.1").await;
        assert_eq!(status, 200, "{file}");
        assert!(
            head.contains("immutable") && !content.contains("http://") || file.ends_with("svg")
        );
        assert!(!content.contains("https://"), "{file} loads something from elsewhere");
    }
    for inline in ["<style", "style=", "onclick", "javascript:", "https://", "http://"] {
        assert!(!live.contains(inline), "{inline} is in {live}");
    }
    assert_eq!(live.matches("<script").count(), 1, "the file");
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>";
    assert!(live.contains(refresh) && live.contains("<a href=\"/en/still\">"), "{live}");
    // Whoever wants a page that stands still gets one.
    let still = page(&counter, "/en/still").await;
    assert!(!still.contains("http-equiv") && !still.contains("<script"), "{still}");
    assert!(still.contains("<a href=\"/en\">Update it by itself</a>"), "{still}");
    assert_eq!(
        ask(&counter, "GET", "/console/style-0000000000000000.css", "localhost").await.0,
        404
    );
    for (method, path, status) in [("HEAD", "/", 200), ("POST", "/", 405), ("HEAD", "/events", 405)]
    {
        assert_eq!(ask(&counter, method, path, "localhost").await.0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn the_page_is_italian_or_english_as_its_path_or_else_the_browser_says() {
    let counter = Counter::open();
    for (path, said) in [
        ("/", "What needs you"),
        ("/still", "What needs you"),
        ("/en", "What needs you"),
        ("/it", "Che cosa c&#39;è da fare"),
        ("/it/still", "Che cosa c&#39;è da fare"),
    ] {
        let page = page(&counter, path).await;
        assert!(page.contains(said), "{path}: {page}");
    }
    let live = page(&counter, "/it").await;
    for part in
        ["data-events=\"/it/events\"", "<a href=\"/it/still\">", "<a href=\"/en\" lang=\"en\""]
    {
        assert!(live.contains(part), "{part} is not in {live}");
    }
    let still = page(&counter, "/it/still").await;
    assert!(still.contains("<a href=\"/en/still\" lang=\"en\""), "{still}");
}

#[tokio::test]
async fn a_name_that_may_be_an_attackers_reaches_no_part_of_the_console() {
    let counter = Counter::open();
    for host in ["attacker.example", "127.0.0.1.attacker.example:9464", "10.0.0.7", ""] {
        for path in ["/", "/it", "/still", "/en/events", "/console/style-0000000000000000.css"] {
            let (status, _, content) = ask(&counter, "GET", path, host).await;
            assert_eq!(status, 421, "{host} {path}: {content}");
        }
        // Prometheus may know the server by any name.
        assert_eq!(ask(&counter, "GET", "/metrics", host).await.0, 200);
    }
    for host in ["localhost:1234", "[::1]", "127.0.0.2:9464"] {
        assert_eq!(ask(&counter, "GET", "/", host).await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn events_bring_everything_first_and_then_what_changed() {
    let counter = Counter::open();
    let mut events = Events::open(&counter).await.unwrap();
    let first = events.next().await.unwrap();
    for id in ["alarms", "clock", "citizens", "balance", "plot-cpu", "notice", "certificate"] {
        assert!(first.contains_key(id), "{id} is not in {first:?}");
    }
    assert!(first["finished"].contains("0 accepted"), "{first:?}");
    let mut silence = Duration::ZERO;
    counter.citizen(1).await.apply("key").await;
    let mut changed = 0;
    loop {
        let before = Instant::now();
        let event = events.next().await.unwrap();
        silence = silence.max(before.elapsed());
        changed += usize::from(!event.contains_key("notice"));
        if event.get("finished").is_some_and(|finished| finished.contains("1 accepted")) {
            assert!(!event.contains_key("intermediaries"), "it did not change: {event:?}");
            break;
        }
    }
    assert!(changed > 0 && silence < Duration::from_secs(10), "{changed} {silence:?}");
}

#[tokio::test]
async fn streams_are_bounded_and_leave_room_for_pages_and_scrapes() {
    let mut counter = Counter::open();
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(Events::open(&counter).await.unwrap());
    }
    assert_eq!(Events::open(&counter).await.err(), Some(503));
    assert!(counter.metrics().await.contains("sportello_sessions"));
    assert!(page(&counter, "/").await.contains("Sportello console"));
    drop(streams.pop());
    let mut last = until("a place is free", async || Events::open(&counter).await.ok()).await;
    assert!(last.next().await.is_some());
    // They hold up no stop, and end with it.
    assert_eq!(counter.stop().code(), Some(0), "{}", counter.log());
    while last.next().await.is_some() {}
}

#[tokio::test]
async fn the_last_hour_is_there_after_a_reload() {
    let counter = Counter::open();
    // Nobody looks meanwhile: the server samples by itself.
    tokio::time::sleep(Duration::from_secs(21)).await;
    let page = page(&counter, "/").await;
    let plot = page.split("id=\"plot-waiting\"").nth(1).unwrap();
    let path = plot.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(path.starts_with("M357 97.0h0L358 97.0L359 97.0"), "{path}");
    assert!(plot.contains("People waiting over the last hour: now 0, at most 0"), "{plot}");
}

#[tokio::test]
async fn what_needs_an_operator_is_said_in_words() {
    let notice = tempfile::tempdir().unwrap();
    let file = notice.path().join("notice.txt");
    std::fs::write(&file, "it: <b>Chiuso</b>.\nen: Closed & late.\n").unwrap();
    let counter = Counter::open().reopen_with(
        EVENING,
        &[
            ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "1125899906842624"),
            ("SPORTELLO_PAGES_NOTICE", file.to_str().unwrap()),
        ],
    );
    let page = page(&counter, "/").await;
    let disk = "<strong>Act now.</strong> The disk is nearly full and nothing new is accepted";
    assert_eq!(page.matches(disk).count(), 2, "above all, and at the disk: {page}");
    assert!(page.contains("No new work is taken: the disk is nearly full"), "{page}");
    assert!(!page.contains("Nothing needs you now."), "{page}");
    assert!(page.contains("lang=\"it\">&#60;b&#62;Chiuso&#60;/b&#62;.<"), "{page}");
    assert!(page.contains("lang=\"en\">Closed &#38; late.<"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_who_did_it_are_shown() {
    let counter = Counter::open();
    let mut pause = program();
    pause.args(["control", "pause", "--yes", "--as", "a.bianchi", "--data"]).arg(counter.data());
    let (code, _, complaint) = finished(pause.args(["--operator", &counter.operator]));
    assert_eq!(code, Some(0), "{complaint}");
    let page = until("the action is shown", async || {
        let page = page(&counter, "/").await;
        page.contains("a.bianchi: pause: intake was taking and is paused").then_some(page)
    })
    .await;
    assert!(page.contains("Act today.</strong> The entry is paused: nobody is let in."), "{page}");
    assert!(page.contains("The counter is paused"), "the public is told: {page}");
}
