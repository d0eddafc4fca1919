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
        let is_there = self.next_at() <= Instant::now();
        if is_there {
            self.full_at = self.full_at.max(Instant::now()) + self.interval;
        }
        is_there
    }

    /// Ready when there is one.
    pub(super) async fn ready(&self) {
        tokio::time::sleep_until(self.next_at()).await;
    }

    /// When there will be one.
    fn next_at(&self) -> Instant {
        let earliest = self.full_at + self.interval;
        earliest.checked_sub(self.interval * self.burst).unwrap_or_else(Instant::now)
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
