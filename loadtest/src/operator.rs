//! The server's metrics, read from its operator listener, and whether its counts of applications balance.

use std::{collections::BTreeMap, io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};

/// Largest metrics page that is accepted.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
const PAGE_WAIT_MAX: Duration = Duration::from_secs(5);

/// The samples of one metrics page: value by name with labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(BTreeMap<String, f64>);

/// The operator listener's address.
#[derive(Clone, Debug)]
pub struct Operator {
    authority: String,
}

/// At rest, `accepted = decided + undecided + withdrawn before a decision` (CONTRACT.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Balance {
    /// Applications accepted since the server started.
    pub accepted: f64,
    /// Decided, `pending` and `review` included.
    pub decided: f64,
    /// Waiting for their decision.
    pub undecided: f64,
    /// Withdrawn before a decision.
    pub withdrawn_before_decision: f64,
    /// Whether the two sides are equal.
    pub holds: bool,
}

/// The ledger's commits between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommitFigures {
    /// Number of commits.
    pub count: f64,
    /// Their total duration in seconds.
    pub seconds: f64,
    /// Their total number of records.
    pub records: f64,
}

impl CommitFigures {
    /// Mean duration of a commit in milliseconds; 0 without commits.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        if self.count < 0.5 { 0.0 } else { 1000.0 * self.seconds / self.count }
    }

    /// Mean records of a commit; 0 without commits.
    #[must_use]
    pub fn mean_records(&self) -> f64 {
        if self.count < 0.5 { 0.0 } else { self.records / self.count }
    }
}

impl Operator {
    /// The listener at a URL such as `http://127.0.0.1:9464`.
    ///
    /// # Errors
    ///
    /// A text for the user when it is not an HTTP origin with a port.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Option<Uri> = url.parse().ok();
        let authority = uri
            .filter(|uri| uri.scheme_str() == Some("http") && uri.port_u16().is_some())
            .and_then(|uri| uri.authority().map(ToString::to_string));
        let authority =
            authority.ok_or_else(|| format!("--operator `{url}`: allowed is http://HOST:PORT"))?;
        Ok(Self { authority })
    }

    /// Reads the metrics page.
    ///
    /// # Errors
    ///
    /// When the listener does not send a whole page in time.
    pub async fn samples(&self) -> io::Result<Samples> {
        match timeout(PAGE_WAIT_MAX, self.page("/metrics")).await {
            Ok(page) => Ok(Samples::parse(&String::from_utf8_lossy(&page?))),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }

    /// Loads the console, and drops it.
    ///
    /// # Errors
    ///
    /// When the listener does not send a whole page in time.
    pub async fn console(&self) -> io::Result<()> {
        let page = timeout(PAGE_WAIT_MAX, self.page("/still")).await;
        page.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(drop)
    }

    async fn page(&self, path: &str) -> io::Result<Bytes> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(connection);
        let request = Request::get(path)
            .header(HOST, &self.authority)
            .body(Full::new(Bytes::new()))
            .map_err(io::Error::other)?;
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        if !response.status().is_success() {
            return Err(io::Error::other(format!("GET {path} answered {}", response.status())));
        }
        let page = Limited::new(response.into_body(), PAGE_BYTES_MAX).collect().await;
        driver.abort();
        Ok(page.map_err(io::Error::other)?.to_bytes())
    }
}

impl Samples {
    /// Parses a page in the Prometheus text format; skips lines that it does not understand.
    #[must_use]
    pub fn parse(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            // The value follows the labels, which may contain spaces.
            let labels_end = line.rfind('}').map_or(0, |end| end + 1);
            let space = labels_end + line.get(labels_end..)?.find(' ')?;
            let value = line.get(space..)?.split_whitespace().next()?.parse().ok()?;
            Some((line.get(..space)?.to_owned(), value))
        });
        Self(samples.collect())
    }

    /// The sum of metric `name` over all label sets that contain `label`.
    #[must_use]
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let of_metric = self.0.iter().filter(|(sample, _)| {
            let rest = sample.strip_prefix(name);
            rest.is_some_and(|rest| {
                (rest.is_empty() || rest.starts_with('{')) && rest.contains(label)
            })
        });
        of_metric.map(|(_, value)| value).sum()
    }

    /// The server's counts of applications.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let accepted = self.sum("sportello_applications_accepted_total", "");
        let decided = self.sum("sportello_applications_decided_total", "");
        let undecided = self.sum("sportello_applications_undecided", "");
        let withdrawn_before_decision =
            self.sum("sportello_applications_withdrawn_total", "before=\"decision\"");
        let difference = accepted - decided - undecided - withdrawn_before_decision;
        let holds = difference.abs() < 0.5;
        Balance { accepted, decided, undecided, withdrawn_before_decision, holds }
    }

    /// The commits since `earlier`.
    #[must_use]
    pub fn commits_since(&self, earlier: &Self) -> CommitFigures {
        let change = |name: &str| (self.sum(name, "") - earlier.sum(name, "")).max(0.0);
        CommitFigures {
            count: change("sportello_commit_duration_seconds_count"),
            seconds: change("sportello_commit_duration_seconds_sum"),
            records: change("sportello_commit_batch_size_sum"),
        }
    }

    /// Requests shed since `earlier`, by class and reason.
    #[must_use]
    pub fn shed_since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let changed = self.changed_since(earlier).into_iter();
        let shed = changed.filter_map(|(sample, change)| {
            let labels = sample.strip_prefix("sportello_shed_total{")?.trim_end_matches('}');
            Some((labels.to_owned(), change))
        });
        shed.collect()
    }

    /// Changes since `earlier` of all samples except histogram buckets.
    #[must_use]
    pub fn changed_since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let own = self.0.iter().filter(|(sample, _)| !sample.contains("_bucket{"));
        let changes = own.map(|(sample, value)| {
            (sample.clone(), value - earlier.0.get(sample).copied().unwrap_or(0.0))
        });
        changes.filter(|(_, change)| change.abs() > f64::EPSILON).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    const PAGE: &str = "\
# HELP sportello_applications_accepted_total Applications with a receipt.
sportello_applications_accepted_total{scheme=\"iscro\",channel=\"web desk\"} 7
sportello_applications_accepted_total{scheme=\"iscro\",channel=\"api\"} 3
sportello_applications_decided_total{scheme=\"iscro\",outcome=\"granted\"} 8
sportello_applications_withdrawn_total{before=\"decision\"} 1
sportello_applications_withdrawn_total{before=\"payment\"} 5
sportello_applications_undecided 1
";

    #[test]
    fn lost_applications_break_the_balance() {
        let balance = Samples::parse(PAGE).balance();
        assert!(balance.holds, "{balance:?}");
        assert!((balance.accepted - 10.0).abs() < 1e-9);
        let lost = PAGE.replace("_undecided 1", "_undecided 0");
        assert!(!Samples::parse(&lost).balance().holds);
    }

    #[test]
    fn commits_and_sheds_are_counted_by_their_change() {
        let page = |commits: u32| {
            format!(
                "sportello_commit_duration_seconds_sum {}\nsportello_commit_duration_seconds_count {commits}\n\
                 sportello_commit_batch_size_sum {}\n\
                 sportello_shed_total{{class=\"enter\",reason=\"leases\"}} {commits}\n",
                f64::from(commits) * 0.002,
                commits * 30
            )
        };
        let (before, after) = (Samples::parse(&page(10)), Samples::parse(&page(60)));
        let commits = after.commits_since(&before);
        assert!(
            (commits.mean_ms() - 2.0).abs() < 1e-9 && (commits.mean_records() - 30.0).abs() < 1e-9
        );
        let shed = after.shed_since(&before);
        assert!((shed["class=\"enter\",reason=\"leases\""] - 50.0).abs() < 1e-9);
    }

    #[test]
    fn changes_are_by_sample() {
        let before = Samples::parse(PAGE);
        let after = Samples::parse(&PAGE.replace("\"api\"} 3", "\"api\"} 9"));
        let changes = after.changed_since(&before);
        assert_eq!(changes.len(), 1);
        assert!(changes.values().all(|change| (change - 6.0).abs() < 1e-9));
    }
}
