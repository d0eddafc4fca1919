//! How often something may come over one connection.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that fills by itself.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// The bucket is full again at this moment; it is empty when that is `burst` intervals away.
    full_at: Instant,
    burst: u32,
}

impl Pace {
    /// `burst` at once, and one each `interval` after that.
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self { interval, burst, full_at: Instant::now() }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + self.interval;
        let is_there = full_at <= now + self.interval * self.burst;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills_again() {
        let mut pace = Pace::new(3, Duration::from_secs(1));
        let taken = |pace: &mut Pace| (0..10).take_while(|_| pace.take()).count();
        assert_eq!(taken(&mut pace), 3);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(&mut pace), 2);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&mut pace), 3);
    }
}
