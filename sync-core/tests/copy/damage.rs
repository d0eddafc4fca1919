//! Damage is noticed where it is, and leaves spaces that are whole or empty.

use sync_core::conformance::{
    client_state, commit, commit_write, delete, describe, device, epoch, invite, log_entry, make, put, seq,
    space_id,
};
use sync_core::copy::{LINE_BYTES_MAX, Sink, Source, export, import};
use sync_core::store::{CommitWrite, MemoryStore, Store};
use sync_core::{AccountsExt, Change, Credential, Error, ErrorKind, Holder, Role, Seq};

use crate::world::{everything, exported, imported, server, user};

/// The sum of a line, as the documentation says it.
fn sum(before: &str, text: &str) -> String {
    let hash = blake3::Hasher::new().update(before.as_bytes()).update(text.as_bytes()).finalize();
    hash.to_hex()[..16].to_owned()
}

/// Lines without their sums.
fn texts(export: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(export).unwrap();
    text.lines().map(|line| format!("{}}}", line.rsplit_once(",\"sum\":").unwrap().0)).collect()
}

/// Lines with sums that are right.
fn summed<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<u8> {
    let (mut out, mut before) = (String::new(), String::new());
    for text in texts {
        let text = text.as_ref().strip_suffix('}').unwrap();
        before = sum(&before, text);
        out.extend([text, ",\"sum\":\"", &before, "\"}\n"]);
    }
    out.into_bytes()
}

/// A small server whose spaces have something of every kind.
async fn small() -> MemoryStore {
    let store = MemoryStore::default();
    for name in ["a", "b"] {
        let space = space_id(name);
        store.create_space(&space, epoch(1)).await.unwrap();
        let changes = [put("notes", "1", "{\"x\":1}"), put("notes", "2", "2"), delete("notes", "3")];
        commit(&store, &space, changes).await.unwrap();
        let clients = ["replica-1", "replica-2"].map(|name| client_state(name, 1)).to_vec();
        let log = (1..=2).map(|n| log_entry(n, seq(n))).collect();
        commit_write(&store, &space, &CommitWrite { clients, log, ..CommitWrite::default() }).await.unwrap();
    }
    let roles = [(space_id("a"), Role::Owner), (space_id("b"), Role::Viewer)];
    store.create_user(&user("u1", "Anna"), &roles).await.unwrap();
    store.create_user(&user("u2", "Bob"), &roles).await.unwrap();
    let all = [device("phone", "u1"), device("tablet", "u1"), device("laptop", "u2"), invite("invite", "a")];
    let to_server = Credential { holder: Holder::Server, ..invite("welcome", "a") };
    let changes: Vec<Change> = all.into_iter().chain([to_server]).map(Change::AddCredential).collect();
    make(&store, &changes).await.unwrap();
    make(&store, &[describe("a", Some("Ours"))]).await.unwrap();
    store
}

/// Imports something damaged, then what it should have been.
async fn refused_and_mended(damaged: &[u8], whole: &[u8], old: &MemoryStore, what: &str) -> Error {
    let new = MemoryStore::default();
    let Err(refused) = imported(&new, damaged).await else { panic!("{what} went unnoticed") };
    let wanted = everything(old).await;
    let found = everything(&new).await;
    for (name, space) in &found.spaces {
        let is_empty = space.head.head == Seq::ZERO && space.records.is_empty() && space.clients.is_empty();
        assert!(is_empty || *space == wanted.spaces[name], "{what}: {name} is there in part");
    }
    imported(&new, whole).await.unwrap_or_else(|error| panic!("{what}, then whole: {error}"));
    assert_eq!(everything(&new).await, wanted, "{what}");
    refused
}

#[tokio::test]
async fn an_export_that_was_cut_anywhere_is_refused() {
    let old = small().await;
    let whole = exported(&old).await;
    for n in 0..whole.len() {
        let refused = refused_and_mended(&whole[..n], &whole, &old, &format!("cut after {n} bytes")).await;
        assert!(matches!(refused.kind(), ErrorKind::Corrupt | ErrorKind::Invalid), "{refused}");
    }
    let n_lines = whole.split_inclusive(|byte| *byte == b'\n').count();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    let refused = refused_and_mended(&whole[..=last], &whole, &old, "without the last line").await;
    assert!(refused.to_string().contains(&format!("after line {}", n_lines - 1)), "{refused}");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_and_its_line_is_named() {
    let old = small().await;
    let whole = exported(&old).await;
    let mut line = 1;
    for n in 0..whole.len() {
        let bit = n % 8;
        let mut damaged = whole.clone();
        damaged[n] ^= 1 << bit;
        let what = format!("bit {bit} of byte {n}");
        let refused = refused_and_mended(&damaged, &whole, &old, &what).await.to_string();
        // A damaged beginning may look like something else altogether; a damaged line end joins two lines.
        let is_named = refused.contains(&format!("line {line} of"));
        assert!(is_named || line == 1 || whole[n] == b'\n', "{what} in line {line}: {refused}");
        line += usize::from(whole[n] == b'\n');
    }
}

#[tokio::test]
async fn lines_that_are_lost_doubled_or_swapped_are_refused() {
    for old in [small().await, server(0).await] {
        let whole = exported(&old).await;
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        for n in 0..lines.len() {
            let (mut lost, mut doubled) = (lines.clone(), lines.clone());
            lost.remove(n);
            doubled.insert(n, lines[n]);
            refused_and_mended(&lost.concat(), &whole, &old, &format!("line {n} lost")).await;
            refused_and_mended(&doubled.concat(), &whole, &old, &format!("line {n} doubled")).await;
            if n > 0 {
                let mut swapped = lines.clone();
                swapped.swap(n - 1, n);
                refused_and_mended(&swapped.concat(), &whole, &old, &format!("line {n} moved up")).await;
            }
        }
    }
}

/// Even with sums that are right: someone wrote it.
#[tokio::test]
async fn an_export_that_was_made_up_is_refused_where_it_makes_no_sense() {
    for old in [small().await, server(0).await] {
        let whole = exported(&old).await;
        let lines = texts(&whole);
        assert_eq!(summed(&lines), whole, "the sums are as documented");
        for n in 0..lines.len() {
            let (mut lost, mut doubled) = (lines.clone(), lines.clone());
            lost.remove(n);
            doubled.insert(n, lines[n].clone());
            refused_and_mended(&summed(&lost), &whole, &old, &format!("line {n} lost")).await;
            refused_and_mended(&summed(&doubled), &whole, &old, &format!("line {n} doubled")).await;
            if n > 0 {
                let mut swapped = lines.clone();
                swapped.swap(n - 1, n);
                refused_and_mended(&summed(&swapped), &whole, &old, &format!("line {n} moved up")).await;
            }
        }
    }
}

#[tokio::test]
async fn nonsense_in_a_line_is_refused_and_the_line_is_named() {
    let old = small().await;
    let whole = exported(&old).await;
    let lines = texts(&whole);
    let nonsense = [
        ("\"n_spaces\":2", "\"n_spaces\":-1"),
        ("\"n_spaces\":2", "\"n_spaces\":2,\"more\":1"),
        ("\"space\":\"a\"", "\"space\":\"../a\""),
        ("\"epoch\":\"0101", "\"epoch\":\"01"),
        ("\"head\":3,", "\"head\":9007199254740992,"),
        ("\"head\":3,", "\"head\":4,"),
        ("\"head\":3,", "\"head\":2,"),
        ("\"floor\":0", "\"floor\":-1"),
        ("\"floor\":0", "\"floor\":4"),
        ("\"last\":3,\"tag", "\"last\":4,\"tag"),
        ("\"tag\":\"", "\"tag\":\"00000000000000000000000000000000\",\"tag\":\""),
        ("\"log_head\":2", "\"log_head\":-1"),
        ("\"log_head\":2", "\"log_head\":1"),
        ("\"log_head\":2", "\"log_head\":3"),
        ("\"entry\":1", "\"entry\":0"),
        ("\"last\":1,\"batch", "\"last\":0,\"batch"),
        ("\"batch_hash\":\"07", "\"batch_hash\":\"x7"),
        ("{\"first\":1", "{\"first\":0"),
        ("{\"first\":1", "{\"first\":4"),
        ("\"collection\":\"notes\"", "\"collection\":\"$no tes\""),
        ("\"id\":\"1\"", "\"id\":\"\""),
        ("\"id\":\"1\"", "\"id\":\"4\""),
        ("\"version\":1", "\"version\":0"),
        ("\"version\":1", "\"version\":4"),
        ("\"version\":3", "\"version\":4"),
        ("\"version\":3", "\"version\":0"),
        ("\"version\":1", "\"version\":1.5"),
        ("\"edited_at\":0", "\"edited_at\":-1"),
        ("\"author\":\"anna\"", "\"author\":\"an na\""),
        ("{\"x\":1}", "{\"x\": 1}"),
        ("{\"x\":1}", "{\"x\":1,\"x\":1}"),
        ("{\"x\":1}", "{\"x\":1e999}"),
        ("{\"x\":1}", "{\"x\":2}"),
        ("\"n_records\":3,\"state", "\"n_records\":2,\"state"),
        ("\"state_hash\":\"", "\"state_hash\":\"0"),
        ("\"role\":\"owner\"", "\"role\":\"king\""),
        ("\"space\":\"a\",\"actor\"", "\"space\":\"c\",\"actor\""),
        ("\"name\":\"Ours\"", "\"name\":\" \""),
        ("\"name\":\"Ours\"", "\"title\":\"Ours\""),
        ("{\"space_info\":{\"space\":\"a\"", "{\"space_info\":{\"space\":\"c\""),
        ("\"n_space_infos\":1", "\"n_space_infos\":2"),
        ("\"n_users\":2", "\"n_users\":3"),
        ("\"n_credentials\":5", "\"n_credentials\":4"),
        ("\"holder\":{\"user\":\"u1\"}", "\"holder\":{\"user\":\"u3\"}"),
        ("\"holder\":{\"space\":\"a\"}", "\"holder\":{\"space\":\"c\"}"),
        ("\"holder\":\"server\"", "\"holder\":\"nobody\""),
        ("\"id\":\"phone---", "\"id\":\"phone"),
        ("\"secret\":\"", "\"secret\":\"0"),
        ("\"purpose\":{\"device\"", "\"purpose\":{\"key\""),
        ("{\"user\":", "{\"uzer\":"),
        ("{\"record\":", "{\"record\":[],\"record\":"),
    ];
    for (sense, other) in nonsense {
        let at = lines
            .iter()
            .position(|line| line.contains(sense))
            .unwrap_or_else(|| panic!("{sense} is nowhere"));
        let mut damaged = lines.clone();
        damaged[at] = damaged[at].replacen(sense, other, 1);
        refused_and_mended(&summed(&damaged), &whole, &old, other).await;
    }
}

#[tokio::test]
async fn people_never_come_before_a_space() {
    let old = small().await;
    let whole = exported(&old).await;
    for kind in ["{\"user\":", "{\"space_info\":", "{\"member\":", "{\"credential\":"] {
        let mut lines = texts(&whole);
        let at = lines.iter().position(|line| line.starts_with(kind)).unwrap();
        let line = lines.remove(at);
        lines.insert(1, line);
        let refused = refused_and_mended(&summed(&lines), &whole, &old, kind).await;
        assert!(refused.to_string().contains("line 3 of") || kind != "{\"user\":", "{refused}");
    }
}

#[tokio::test]
async fn what_comes_after_the_end_is_refused() {
    let old = small().await;
    let whole = exported(&old).await;
    for more in ["x", "\n", "{}\n"] {
        let text = [&whole, more.as_bytes()].concat();
        let refused = imported(&MemoryStore::default(), &text).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    }
}

#[tokio::test]
async fn what_is_no_export_is_told_from_one_of_another_format() {
    for (text, kind) in [
        ("", ErrorKind::Invalid),
        ("\n", ErrorKind::Invalid),
        ("{}\n", ErrorKind::Invalid),
        ("hello\n", ErrorKind::Invalid),
        ("{\"sync_export\":{\"format\":x}}\n", ErrorKind::Invalid),
        ("{\"sync_export\":{\"format\":1", ErrorKind::Invalid),
        ("{\"sync_export\":{\"format\":0}}\n", ErrorKind::Incompatible),
        ("{\"sync_export\":{\"format\":3,\"news\":[]}}\n", ErrorKind::Incompatible),
        ("{\"sync_export\":{\"format\":1}}\n", ErrorKind::Corrupt),
    ] {
        let new = MemoryStore::default();
        let refused = imported(&new, text.as_bytes()).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{text}: {refused}");
        assert!(new.spaces(None, 1).await.unwrap().is_empty());
    }
}

/// Zeros without an end.
struct Endless(usize);

#[async_trait::async_trait]
impl Source for Endless {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(b'0');
        self.0 += buffer.len();
        Ok(buffer.len())
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_not_read_for_ever() {
    let (store, mut source) = (MemoryStore::default(), Endless(0));
    let refused = import(&store, &store, &mut source, &mut |_| {}).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    assert!(source.0 <= LINE_BYTES_MAX + (1 << 20), "{} bytes were read", source.0);
}

/// Passes on a text in pieces of a few bytes.
struct Pieces<'a>(&'a [u8], usize);

#[async_trait::async_trait]
impl Source for Pieces<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.0 = later;
        Ok(n)
    }
}

#[tokio::test]
async fn it_does_not_matter_in_what_pieces_a_text_comes() {
    let old = server(3).await;
    let whole = exported(&old).await;
    for n in [1, 2, 7, 1_000] {
        let new = MemoryStore::default();
        import(&new, &new, &mut Pieces(&whole, n), &mut |_| {}).await.unwrap();
        assert_eq!(everything(&new).await, everything(&old).await);
    }
}

/// Takes so many bytes and no more.
struct Full(usize, std::io::ErrorKind);

#[async_trait::async_trait]
impl Sink for Full {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(self.1)?;
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_export() {
    let old = server(3).await;
    for (why, kind) in [
        (std::io::ErrorKind::StorageFull, ErrorKind::StorageFull),
        (std::io::ErrorKind::BrokenPipe, ErrorKind::Unavailable),
    ] {
        let refused = export(&old, &old, &mut Full(100, why), &mut |_| {}).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
    }
}
