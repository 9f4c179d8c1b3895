//! Medians and what lies around them.

/// Some measurements of one thing, in the order in which they were taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    values: Vec<f64>,
}

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn p10(&self) -> f64 {
        self.quantile(0.1)
    }

    pub(crate) fn p90(&self) -> f64 {
        self.quantile(0.9)
    }

    /// Each of them, changed.
    pub(crate) fn map(&self, change: impl Fn(f64) -> f64) -> Samples {
        self.values.iter().copied().map(change).collect()
    }

    /// Each beside the one of the other that was taken right after it: a busy moment of the machine hits both.
    pub(crate) fn paired(&self, other: &Samples, compare: impl Fn(f64, f64) -> f64) -> Samples {
        self.values.iter().zip(&other.values).map(|(ours, its)| compare(*ours, *its)).collect()
    }

    /// Between two samples it is as far from one to the next as `share` says.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        low + (high - low) * place.fract()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Samples {
        Samples { values: values.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        values.iter().copied().collect()
    }

    #[test]
    fn quantiles_lie_between_the_samples() {
        let ten: Samples = (0..=10).rev().map(f64::from).collect();
        assert_eq!((ten.p10(), ten.median(), ten.p90()), (1.0, 5.0, 9.0));
        assert_eq!(samples(&[1.0, 2.0]).median(), 1.5);
        assert_eq!(samples(&[7.0]).p90(), 7.0);
        assert!(samples(&[]).median().is_nan());
    }

    #[test]
    fn pairs_are_compared_one_by_one() {
        let difference = samples(&[5.0, 9.0]).paired(&samples(&[1.0, 2.0]), |ours, its| ours - its);
        assert_eq!(difference, samples(&[4.0, 7.0]));
    }
}
