//! The fingerprint of a batch, by which a repeated one is known, and how much memory it holds.

use crate::mutation::{Mutation, Op};
use crate::protocol::PushRequest;

/// Bytes that are hashed at once: enough to use the whole width of the processor, little beside the batch itself.
const CHUNK_BYTES: usize = 64 << 10;
/// About what a mutation holds in memory besides its texts.
const MUTATION_BYTES: usize = 256;

impl PushRequest {
    /// A hash over everything the batch asks for, by which a repeated batch is told from another one with the same
    /// numbers. `after` is no part of it: a retry may know more.
    pub fn batch_hash(&self) -> [u8; 16] {
        self.digest().0
    }

    /// The [`batch_hash`](Self::batch_hash), and about how many bytes of memory the batch holds.
    pub(crate) fn digest(&self) -> ([u8; 16], usize) {
        let mut hasher = blake3::Hasher::new();
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        let mut n_bytes = self.mutations.len() * MUTATION_BYTES;
        push_number(self.batch.as_ref().map(|batch| batch.first.get()), &mut chunk);
        for mutation in &self.mutations {
            mutation.write_digest(&mut chunk);
            if chunk.len() >= CHUNK_BYTES {
                hasher.update(&chunk);
                n_bytes += chunk.len();
                chunk.clear();
            }
        }
        let mut hash = [0; 16];
        hasher.update(&chunk).finalize_xof().fill(&mut hash);
        (hash, n_bytes + chunk.len())
    }
}

impl Mutation {
    /// Writes every part with its length or in a form that says where it ends, so that no two mutations read alike.
    fn write_digest(&self, out: &mut Vec<u8>) {
        let Self { key, op, base_version, at, group, after, resolves } = self;
        push_text(key.collection.as_str(), out);
        push_text(key.id.as_str(), out);
        push_number(base_version.map(Into::into), out);
        push_number(at.map(Into::into), out);
        push_number(after.map(Into::into), out);
        for text in [group.as_deref(), resolves.as_ref().map(|id| id.as_str())] {
            out.push(u8::from(text.is_some()));
            push_text(text.unwrap_or_default(), out);
        }
        match op {
            Op::Delete => out.push(b'd'),
            Op::Put(data) => {
                out.push(b'u');
                push_text(data.as_str(), out);
            }
            Op::Patch(patch) => {
                out.push(b'a');
                serde_json::to_writer(out, patch).expect("a patch has a JSON form, and memory takes it");
            }
        }
    }
}

/// None of the numbers of a mutation is negative.
fn push_number(number: Option<i64>, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.unwrap_or(-1).to_le_bytes());
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;
    use crate::json::Json;
    use crate::merge::diff;
    use crate::protocol::ClientBatch;
    use crate::types::{ClientId, Collection, CursorToken, MutationNumber, RecordId, RecordKey, Version};

    fn key(collection: &str, id: &str) -> RecordKey {
        RecordKey::new(Collection::new(collection).unwrap(), RecordId::new(id).unwrap())
    }

    fn json(value: &serde_json::Value) -> Json {
        Json::from_value(value).unwrap()
    }

    #[test]
    fn every_part_of_a_batch_counts_and_its_cursor_does_not() {
        let put = |data| Mutation::put(key("a", "bc"), json(&data));
        let mut numbered = put(json!(1));
        numbered.after = Some(MutationNumber::FIRST);
        let variants = [
            vec![],
            vec![put(json!(1))],
            vec![put(json!(1)), put(json!(1))],
            vec![put(json!("1"))],
            vec![Mutation::put(key("ab", "c"), json(&json!(1)))],
            vec![put(json!(1)).based_on(Version::ZERO)],
            vec![put(json!(1)).based_on(Version::new(1).unwrap())],
            vec![put(json!(1)).at(Timestamp::ZERO)],
            vec![put(json!(1)).in_group("g")],
            vec![put(json!(1)).resolving(RecordId::new("g").unwrap())],
            vec![numbered],
            vec![Mutation::delete(key("a", "bc"))],
            vec![Mutation::patch(key("a", "bc"), diff(None, &json!({"a": 1})))],
            vec![Mutation::patch(key("a", "bc"), diff(Some(&json!({"a": 0})), &json!({"a": 1})))],
        ];
        let mut hashes = std::collections::BTreeSet::new();
        for mutations in &variants {
            for first in [None, Some(1), Some(2)] {
                let batch = first.map(|first| ClientBatch {
                    client: ClientId::new("replica-1").unwrap(),
                    first: MutationNumber::new(first).unwrap(),
                });
                let mut push =
                    PushRequest { batch, mutations: mutations.clone(), after: None, receipt: None };
                let hash = push.batch_hash();
                push.after = Some(CursorToken::new("x"));
                assert_eq!(push.batch_hash(), hash);
                assert!(hashes.insert(hash), "{push:?} has the hash of another batch");
            }
        }
    }

    #[test]
    fn a_batch_longer_than_a_chunk_counts_to_its_end() {
        let text = json(&json!("x".repeat(1000)));
        let batch = |last: &Json| {
            let mut mutations = vec![Mutation::put(key("a", "b"), text.clone()); 200];
            mutations.push(Mutation::put(key("a", "b"), last.clone()));
            PushRequest { batch: None, mutations, after: None, receipt: None }
        };
        let (a, b) = (batch(&text).digest(), batch(&json(&json!(1))).digest());
        assert_ne!(a.0, b.0);
        assert!(a.1 > 200_000 + 201 * MUTATION_BYTES && a.1 < 300_000, "{}", a.1);
    }
}
