//! The records that are written and read: about 200 bytes of JSON, some text not ASCII, ids in random order.

/// One record: its id and its content as canonical JSON.
pub(crate) struct Sample {
    /// Its id.
    pub(crate) id: String,
    /// Its content.
    pub(crate) data: String,
}

/// The first `n` records of a series that is always the same.
pub(crate) fn samples(n: usize) -> Vec<Sample> {
    (0..n).map(sample).collect()
}

/// As [`samples`], of about 30 bytes each.
pub(crate) fn small_samples(n: usize) -> Vec<Sample> {
    let small = |idx| Sample { id: scattered(idx), data: format!(r#"{{"done":false,"n":{idx}}}"#) };
    (0..n).map(small).collect()
}

/// An id for each number. An odd multiplier permutes the numbers, so ids arrive in no order.
fn scattered(idx: usize) -> String {
    format!("{:016x}", (idx as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn sample(idx: usize) -> Sample {
    let text = "the quick brown fox jumps over the lazy dog, Grüße aus Köln and once more around the block";
    let done = idx.is_multiple_of(3);
    let data = format!(
        r#"{{"done":{done},"n":{idx},"tags":["a","b{tag}"],"text":"{text} {idx}","title":"record number {idx}"}}"#,
        tag = idx % 7
    );
    Sample { id: scattered(idx), data }
}

/// The bodies of pushes of `batch` records each, all creations.
pub(crate) fn push_bodies(samples: &[Sample], batch: usize) -> Vec<String> {
    samples.chunks(batch).map(push_body).collect()
}

/// The body of one push.
pub(crate) fn push_body(samples: &[Sample]) -> String {
    let mutation = |Sample { id, data }: &Sample| {
        format!(r#"{{"op":"put","collection":"notes","id":"{id}","base_version":0,"data":{data}}}"#)
    };
    let mutations: Vec<String> = samples.iter().map(mutation).collect();
    format!(r#"{{"mutations":[{}]}}"#, mutations.join(","))
}
