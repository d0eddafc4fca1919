//! Changing the secret that signs tokens.

use sync_server::config::{Hidden, Settings};

use crate::world::{Running, start};

const FIRST: &str = "Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4";
const SECOND: &str = "8Kq2Wn6Xd0Rz4Tb9Ym1Pc5Vj7Lf3Hg8S";
const ADA: &str = r#"{"username":"ada","password":"correct horse"}"#;

fn hidden(text: &str) -> Option<Hidden> {
    Some(text.into())
}

/// The value of a member of a JSON answer that is a text.
fn member(answer: &str, name: &str) -> String {
    let rest = answer.split_once(&format!(r#""{name}":""#)).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split('"').next().unwrap().to_owned()
}

async fn status_line(server: &Running, token: &str) -> String {
    let answer = server.ask("GET /v1/spaces", &format!("Authorization: Bearer {token}\r\n"), "").await;
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_of_the_previous_secret_hold_while_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", home.path().join("sync.db").display());
    let settings = |secret: Option<Hidden>, previous: Option<Hidden>| Settings {
        store: Some(store.as_str().into()),
        jwt_secret: secret,
        jwt_secret_previous: previous,
        ..Settings::default()
    };
    let first = start(settings(hidden(FIRST), None)).await.unwrap();
    let old = member(&first.ask("POST /v1/auth/register", "", ADA).await, "access_token");
    first.stop().await;

    let rotated = start(settings(hidden(SECOND), hidden(FIRST))).await.unwrap();
    let new = member(&rotated.ask("POST /v1/auth/login", "", ADA).await, "access_token");
    for token in [&old, &new] {
        assert_eq!(status_line(&rotated, token).await, "HTTP/1.1 200 OK");
    }
    rotated.stop().await;

    let after = start(settings(hidden(SECOND), None)).await.unwrap();
    assert_eq!(status_line(&after, &old).await, "HTTP/1.1 401 Unauthorized");
    assert_eq!(status_line(&after, &new).await, "HTTP/1.1 200 OK");
    after.stop().await;
}

#[tokio::test]
async fn a_kept_secret_is_changed_by_moving_its_file_away() {
    let home = tempfile::tempdir().unwrap();
    let kept = home.path().join("sync.db.jwt-secret");
    let store = format!("sqlite:{}", home.path().join("sync.db").display());
    let settings = || Settings { store: Some(store.as_str().into()), ..Settings::default() };
    let first = start(settings()).await.unwrap();
    let old = member(&first.ask("POST /v1/auth/register", "", ADA).await, "access_token");
    first.stop().await;

    let previous = std::fs::read_to_string(&kept).unwrap();
    std::fs::remove_file(&kept).unwrap();
    let rotated =
        start(Settings { jwt_secret_previous: hidden(previous.trim_end()), ..settings() }).await.unwrap();
    assert_ne!(std::fs::read_to_string(&kept).unwrap(), previous);
    assert_eq!(status_line(&rotated, &old).await, "HTTP/1.1 200 OK");
    rotated.stop().await;
}
