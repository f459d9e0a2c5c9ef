//! Faults of a profile, with file, line and key.

use std::ops::Range;

use toml::Spanned;

/// The text of a profile, which faults point into.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The file's name.
    pub(super) name: &'a str,
    /// The file's content.
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A fault of the key whose value is at the bytes `at`.
    pub(super) fn fault(&self, at: Range<usize>, what: &str) -> String {
        let before = self.text.get(..at.start).unwrap_or_default();
        let number = before.matches('\n').count() + 1;
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let key = line.split('=').next().unwrap_or_default().trim();
        let what = what.trim_end().replace('\n', "; ");
        format!("{}, line {number}, `{key}`: {what}", self.name)
    }

    /// A fault of the whole `[mix]`.
    pub(super) fn at_top(&self, what: &str) -> String {
        format!("{}, [mix]: {what}", self.name)
    }

    /// The value, which must be a share from 0 to 1.
    pub(super) fn share(&self, value: &Spanned<f64>, faults: &mut Vec<String>) -> f64 {
        let given = *value.get_ref();
        if !(0.0..=1.0).contains(&given) {
            let what = format!("{given} is not allowed; allowed is a share from 0 to 1");
            faults.push(self.fault(value.span(), &what));
        }
        given
    }

    /// The value, which must be in the range `allowed`.
    pub(super) fn within(
        &self,
        value: &Spanned<f64>,
        allowed: Range<f64>,
        unit: &str,
        faults: &mut Vec<String>,
    ) -> f64 {
        let given = *value.get_ref();
        if !allowed.contains(&given) {
            let Range { start, end } = allowed;
            let what = format!("{given} is not allowed; allowed is {start} to below {end} {unit}");
            faults.push(self.fault(value.span(), &what));
        }
        given
    }
}
