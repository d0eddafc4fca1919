//! A Rust client and its session, against a whole server: renewing, pairing, signing out, and being signed out.

use std::time::Duration;

use sync_core::protocol::{PullReply, PullRequest};
use sync_core::transport::{HttpTransport, Paired, Transport};
use sync_core::{ErrorKind, PairingCode, Session};
use sync_server::Server;
use sync_server::config::{Config, Settings};
use sync_server::identity::{Identity, Presented, SignedIn};
use tokio::task::JoinHandle;

/// A server in this process, which ends with it.
struct Site {
    base: String,
    identity: Identity,
    server: JoinHandle<()>,
}

impl Site {
    async fn start() -> Self {
        let settings = Settings {
            listen: Some("127.0.0.1:0".into()),
            store: Some("memory:".into()),
            ..Settings::default()
        };
        let server = Server::start(Config::load(settings, |_| None, None).unwrap()).await.unwrap();
        let (base, identity) = (format!("http://{}", server.address()), server.identity().clone());
        let server = tokio::spawn(server.run(std::future::pending()));
        Self { base, identity, server }
    }

    async fn ada(&self) -> (HttpTransport, Session) {
        let server = HttpTransport::new(&self.base, None).unwrap();
        let session = server.register("ada", "correct horse").await.unwrap();
        (server, session)
    }

    async fn who(&self, session: &Session) -> SignedIn {
        self.identity.signed_in(Presented::Bearer(&session.token)).await.unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pull(server: &HttpTransport, session: &Session) -> sync_core::Result<PullReply> {
    server.pull(&session.space, &PullRequest::default()).await
}

#[tokio::test]
async fn a_session_is_renewed_and_a_lost_answer_is_asked_for_again() {
    let site = Site::start().await;
    let (server, first) = site.ada().await;
    let lost = server.renew(&first).await.unwrap();
    let second = server.renew(&first).await.unwrap();
    assert_eq!(second.refresh_token, lost.refresh_token);
    assert_ne!(second.exchange, first.exchange, "each token has a word of its own");
    pull(&server, &second).await.unwrap();
    let third = server.renew(&second).await.unwrap();
    assert_eq!((third.device, third.space), (first.device, first.space));
}

#[tokio::test]
async fn a_refresh_token_that_was_copied_signs_its_device_out() {
    let site = Site::start().await;
    let (server, session) = site.ada().await;
    let renewed = server.renew(&session).await.unwrap();
    let stolen = Session { exchange: None, ..session };
    let thief = HttpTransport::new(&site.base, None).unwrap();
    let refused = thief.renew(&stolen).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unauthorized, Some("token_revoked")));
    let refused = pull(&server, &renewed).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unauthorized, Some("token_revoked")));
    assert_eq!(server.renew(&renewed).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_device_is_paired_by_a_code_once() {
    let site = Site::start().await;
    let (_, ada) = site.ada().await;
    let offered = site.identity.offer_pairing(&ada.user, false).await.unwrap();
    let code = PairingCode::new(&site.base, &offered.token).unwrap();
    let code = PairingCode::parse(&code.to_url()).unwrap();
    let (phone, paired) = HttpTransport::pair(&code, "phone").await.unwrap();
    let Paired::SignedIn(session) = paired else { panic!("nobody wanted to be asked") };
    assert_eq!((&session.user, &session.space), (&ada.user, &ada.space));
    assert_eq!(session.expires_at, sync_core::Timestamp::MAX);
    pull(&phone, &session).await.unwrap();
    let again = HttpTransport::pair(&code, "thief").await.unwrap_err();
    assert_eq!((again.kind(), again.code()), (ErrorKind::Invalid, Some("pairing_invalid")));
    phone.sign_out().await.unwrap();
    phone.set_token(Some(&session.token)).unwrap();
    assert_eq!(pull(&phone, &session).await.unwrap_err().code(), Some("token_revoked"));
}

#[tokio::test]
async fn a_device_waits_until_its_user_agrees_or_refuses() {
    let site = Site::start().await;
    let (_, ada) = site.ada().await;
    for agrees in [true, false] {
        let offered = site.identity.offer_pairing(&ada.user, true).await.unwrap();
        let code = PairingCode::new(&site.base, &offered.token).unwrap();
        let (phone, Paired::Waiting { claim }) = HttpTransport::pair(&code, "phone").await.unwrap() else {
            panic!("nobody has agreed")
        };
        assert!(matches!(phone.paired(&claim).await.unwrap(), Paired::Waiting { .. }));
        assert_eq!(HttpTransport::pair(&code, "thief").await.unwrap_err().code(), Some("pairing_invalid"));
        match agrees {
            true => site.identity.confirm_pairing(&ada.user, &offered.id).await.unwrap(),
            false => site.identity.cancel_pairing(&ada.user, &offered.id).await.unwrap(),
        }
        let answer = phone.paired(&claim).await;
        assert_eq!(answer.is_ok_and(|paired| matches!(paired, Paired::SignedIn(_))), agrees);
    }
}

/// Waiting for a change is an open connection.
#[tokio::test]
async fn who_waits_on_a_device_that_is_revoked_hears_of_it_within_a_second() {
    let site = Site::start().await;
    let (ada, session) = site.ada().await;
    let head = match pull(&ada, &session).await.unwrap() {
        PullReply::Page(page) => page.cursor,
        PullReply::ResyncRequired(_) => panic!("there is a space"),
    };
    let who = site.who(&session).await;
    let waiting = tokio::spawn(async move {
        let wait = Some(Duration::from_secs(25));
        let request = PullRequest { after: Some(head), wait, ..PullRequest::default() };
        ada.pull(&session.space, &request).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    site.identity.revoke_device(&who.user, &who.device).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("within a second");
    assert_eq!(answer.unwrap().unwrap_err().code(), Some("token_revoked"));
}
