//! Letters to a real mail server, over a real socket.

use super::smtp_server::{Fault, SmtpServer};
use super::*;
use crate::mail::{ATTEMPTS_MAX, Smtp, SmtpUrl};

fn smtp(url: &str) -> Smtp {
    Smtp::new(SmtpUrl::parse(url).unwrap(), &sender()).unwrap()
}

fn mail_to(address: &str) -> Mail {
    Mail::write(&letter_to(address), &sender(), "0123456789abcdef".to_owned(), start())
}

#[tokio::test]
async fn a_letter_arrives_whole_at_its_one_recipient() {
    let server = SmtpServer::start(&[], false);
    let mail = mail_to("Ada.Lovelace+x@Exämple.org");
    smtp(&format!("smtp://{}", server.address)).send(&mail).await.unwrap();
    let [arrived] = &server.arrived()[..] else { panic!("one mail was sent") };
    assert_eq!(arrived.to, ["ada.lovelace+x@xn--exmple-cua.org"]);
    assert_eq!((arrived.from.as_str(), arrived.hello.as_str()), ("sync@sync.example", "sync.example"));
    assert_eq!(arrived.text.trim_end(), String::from_utf8_lossy(mail.bytes()).trim_end());
    let commands: Vec<String> = server.lines().iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(commands, ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]);
}

#[tokio::test]
async fn it_signs_in_as_the_url_says() {
    let server = SmtpServer::start(&[], true);
    let url = format!("smtp://sync:p%40ss%3Aword%2F1@{}", server.address);
    smtp(&url).send(&mail_to("ada@example.org")).await.unwrap();
    let login = server.arrived()[0].login.clone();
    assert_eq!(login, Some(("sync".to_owned(), "p@ss:word/1".to_owned())));

    let wrong = smtp(&format!("smtp://sync:wrong@{}", server.address));
    let error = wrong.send(&mail_to("ada@example.org")).await.unwrap_err();
    assert_eq!(error, MailError::permanent("the mail server refused it with 535"));
}

#[tokio::test]
async fn without_the_tls_that_was_asked_for_nothing_is_said() {
    let server = SmtpServer::start(&[], true);
    let url = format!("smtp://sync:p%40ss%3Aword%2F1@{}?tls=required", server.address);
    let error = smtp(&url).send(&mail_to("ada@example.org")).await.unwrap_err();
    assert!(!error.is_temporary() && error.to_string().contains("STARTTLS"), "{error}");
    let url = format!("smtps://sync:p%40ss%3Aword%2F1@{}", server.address);
    let error = smtp(&url).send(&mail_to("ada@example.org")).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("does not speak TLS"), "{error}");
    let told = server.lines().concat();
    assert!(!told.contains("AUTH") && !told.contains("ada"), "{told}");
    assert_eq!(server.arrived(), []);
}

#[tokio::test]
async fn what_a_mail_server_says_decides_whether_to_try_again() {
    for (fault, number, is_temporary) in [
        (Fault::Greeting(421), "421", true),
        (Fault::Greeting(554), "554", false),
        (Fault::Recipient(450), "450", true),
        (Fault::Recipient(550), "550", false),
        (Fault::Text(451), "451", true),
        (Fault::Text(554), "554", false),
    ] {
        let server = SmtpServer::start(&[fault], false);
        let sent = smtp(&format!("smtp://{}", server.address)).send(&mail_to("ada@example.org")).await;
        let error = sent.unwrap_err();
        assert_eq!(error.is_temporary(), is_temporary, "{fault:?}");
        assert!(error.to_string().contains(number) && !error.to_string().contains("ada"), "{error}");
        assert_eq!(server.arrived(), []);
    }
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_now_or_stalls_is_asked_again() {
    let faults = [Fault::Greeting(421), Fault::Recipient(450), Fault::Text(451), Fault::Silence];
    let server = SmtpServer::start(&faults, false);
    let office = office(Arc::new(smtp(&format!("smtp://{}", server.address))));
    office.post(letter_to("ada@example.org"));
    until(|| server.arrived().len() == 1).await;
    assert_eq!(server.n_connections(), 5);
    office.close().await;
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_good_is_not_asked_again() {
    let server = SmtpServer::start(&[Fault::Recipient(550)], false);
    let office = office(Arc::new(smtp(&format!("smtp://{}", server.address))));
    office.post(letter_to("ada@example.org"));
    until(|| server.n_connections() == 1).await;
    // Others are served meanwhile; by then a second attempt, after 1 ms, would have been seen, too.
    for _ in 0..5 {
        office.post(letter_to("bob@example.org"));
    }
    until(|| server.arrived().len() == 5).await;
    assert_eq!(server.n_connections(), 6);
    assert!(server.arrived().iter().all(|mail| mail.to == ["bob@example.org"]));
}

#[tokio::test]
async fn a_stalled_connection_holds_up_nobody_else() {
    let server = SmtpServer::start(&[Fault::Silence], false);
    let office = office(Arc::new(smtp(&format!("smtp://{}", server.address))));
    office.post(letter_to("ada@example.org"));
    until(|| server.n_connections() == 1).await;
    office.post(letter_to("bob@example.org"));
    until(|| server.arrived().len() == 1).await;
    assert_eq!(server.arrived()[0].to, ["bob@example.org"]);
}

#[tokio::test]
async fn a_letter_that_was_taken_is_sent_although_the_farewell_hangs() {
    let server = SmtpServer::start(&[Fault::SilentFarewell], false);
    let (smtp, mail) = (smtp(&format!("smtp://{}", server.address)), mail_to("ada@example.org"));
    let sent = tokio::time::timeout(Duration::from_secs(10), smtp.send(&mail)).await;
    assert_eq!(sent, Ok(Ok(())), "otherwise it would be sent once more");
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test]
async fn a_mail_server_that_is_down_is_given_up_after_a_while() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let down = Arc::new(Counted(smtp(&format!("smtp://{address}")), Mutex::default()));
    let office = office(down.clone());
    office.post(letter_to("ada@example.org"));
    until(|| down.1.lock().unwrap().len() == ATTEMPTS_MAX as usize).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let errors = down.1.lock().unwrap().clone();
    assert_eq!(
        errors,
        vec![MailError::temporary("cannot reach the mail server: connection refused"); ATTEMPTS_MAX as usize]
    );
}

/// Keeps what became of each attempt.
#[derive(Debug)]
struct Counted(Smtp, Mutex<Vec<MailError>>);

#[async_trait]
impl Mailer for Counted {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let sent = self.0.send(mail).await;
        self.1.lock().unwrap().extend(sent.clone().err());
        sent
    }
}
