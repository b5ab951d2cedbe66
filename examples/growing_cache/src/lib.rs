//! A cache that grows: nothing is lost, and still memory does not come back.
//!
//! A leak checker that looks for lost blocks finds nothing here, because the cache is reachable. `repeat` runs the test
//! again and again, and fails it when memory goes on growing; `warmup` lets caches fill up first. The second cache forgets
//! what is old, so it flattens.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

static ANSWERS: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());

/// Answers a question, and keeps every answer for ever.
pub fn answer(question: u64) -> usize {
    let text = format!("the answer to question {question}");
    let mut answers = ANSWERS.lock().expect("nobody panics here");
    answers.push((question, text));
    answers.len()
}

/// A cache of the last few answers.
#[derive(Default)]
pub struct Recent {
    answers: HashMap<u64, String>,
    order: VecDeque<u64>,
}

impl Recent {
    const MOST: usize = 8;

    /// Answers a question, and forgets the oldest answer when there are too many.
    pub fn answer(&mut self, question: u64) -> &str {
        if self.order.len() == Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.order.push_back(question);
        self.answers.entry(question).or_insert_with(|| format!("the answer to question {question}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapcheck_rt::heapcheck;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static NEXT: AtomicU64 = AtomicU64::new(0);

    #[heapcheck(warmup = 3, repeat = 20)]
    #[test]
    fn keeps_every_answer() {
        assert!(answer(NEXT.fetch_add(1, Relaxed)) > 0);
    }

    static RECENT: Mutex<Option<Recent>> = Mutex::new(None);

    #[heapcheck(warmup = 12, repeat = 40)]
    #[test]
    fn keeps_the_last_answers() {
        let mut recent = RECENT.lock().expect("nobody panics here");
        let recent = recent.get_or_insert_with(Recent::default);
        assert!(recent.answer(NEXT.fetch_add(1, Relaxed)).starts_with("the answer"));
    }
}
