//! Every way a token can be wrong, one row each. `now` is 1,000,000 and tokens live an hour.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};

const NOW: i64 = 1_000_000;
const SECRET: &str = "Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4";
const OTHER: &str = "Zk9Qd2Wm7Lx4Rb1Yt6Pc3Nf8Hv5Sj0Ga";

const DEVICE: &str = "0123456789abcdef";

fn device() -> CredentialId {
    CredentialId::new(DEVICE).unwrap()
}

fn secret(text: &str) -> JwtSecret {
    JwtSecret::given(text).unwrap()
}

fn tokens() -> Tokens {
    Tokens::new(&secret(SECRET), 3600)
}

fn verdict(token: &str) -> &'static str {
    tokens().verify(token, NOW).map_or_else(|problem| problem.code().as_str(), |_| "valid")
}

fn mac(text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())
        .unwrap()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .to_vec()
}

/// A token with any header and claims, signed with the right key.
fn signed(header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac(&text)))
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "typ": "access", "jti": "t", "sid": DEVICE, "iat": NOW, "exp": NOW + 60})
}

fn with(changes: Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    signed(HEADER, &claims.to_string())
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    signed(HEADER, &claims.to_string())
}

#[test]
fn an_issued_token_says_what_it_was_given() {
    let access = tokens().verify(&tokens().issue("u", &device(), "t", NOW), NOW).unwrap();
    let expected = Access { user: "u".into(), device: device(), issued_at: NOW, expires_at: NOW + 3600 };
    assert_eq!(access, expected);
}

#[test]
fn claims_get_the_documented_answer() {
    let rows = [
        (json!({}), "valid"),
        (json!({"exp": NOW - 1, "iat": NOW - 60}), "valid"),
        (json!({"exp": NOW - 5, "iat": NOW - 60}), "token_expired"),
        (json!({"exp": NOW - 59, "iat": NOW - 60}), "token_expired"),
        (json!({"exp": NOW - 61, "iat": NOW - 99}), "token_expired"),
        (json!({"exp": (NOW + 60).to_string()}), "invalid_token"),
        (json!({"exp": 1_000_060.5}), "invalid_token"),
        (json!({"exp": 1_000_060.0}), "invalid_token"),
        (json!({"exp": -1}), "invalid_token"),
        (json!({"exp": -1, "iat": -60}), "invalid_token"),
        (json!({"exp": u64::MAX}), "invalid_token"),
        (json!({"exp": i64::MAX}), "invalid_token"),
        (json!({"exp": i64::MAX, "iat": i64::MIN}), "invalid_token"),
        (json!({"exp": 1e30}), "invalid_token"),
        (json!({"exp": null}), "invalid_token"),
        (json!({"exp": NOW + 3600}), "valid"),
        (json!({"exp": NOW + 3601}), "invalid_token"),
        (json!({"exp": NOW, "iat": NOW}), "invalid_token"),
        (json!({"iat": NOW + 5}), "valid"),
        (json!({"iat": NOW + 6}), "invalid_token"),
        (json!({"nbf": NOW + 5}), "valid"),
        (json!({"nbf": NOW + 6}), "invalid_token"),
        (json!({"nbf": null}), "invalid_token"),
        (json!({"nbf": "0"}), "invalid_token"),
        (json!({"aud": "elsewhere"}), "invalid_token"),
        (json!({"aud": ["elsewhere", AUDIENCE]}), "valid"),
        (json!({"aud": ["elsewhere"]}), "invalid_token"),
        (json!({"aud": []}), "invalid_token"),
        (json!({"iss": "elsewhere"}), "invalid_token"),
        (json!({"typ": "refresh"}), "invalid_token"),
        (json!({"typ": "pairing"}), "invalid_token"),
        (json!({"sub": ""}), "invalid_token"),
        (json!({"sub": 1}), "invalid_token"),
        (json!({"role": "admin"}), "invalid_token"),
    ];
    for (changes, expected) in rows {
        assert_eq!(verdict(&with(changes.clone())), expected, "{changes}");
    }
}

#[test]
fn every_claim_but_nbf_is_required() {
    for name in ["iss", "aud", "sub", "typ", "jti", "sid", "iat", "exp"] {
        assert_eq!(verdict(&without(name)), "invalid_token", "{name}");
    }
}

#[test]
fn repeated_claims_are_refused() {
    let twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    assert_eq!(verdict(&signed(HEADER, &twice)), "invalid_token");
    let many: String = (0..10_000).map(|n| format!(r#""c{n}":0,"#)).collect();
    assert_eq!(
        verdict(&signed(HEADER, &claims().to_string().replacen('{', &format!("{{{many}"), 1))),
        "invalid_token"
    );
}

#[test]
fn headers_get_the_documented_answer() {
    let long = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{}"}}"#, "k".repeat(10_000));
    let rows = [
        (HEADER, "valid"),
        (r#"{"alg":"HS256","typ":"at+JWT"}"#, "valid"),
        (r#"{"alg":"none","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"None","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"nOnE","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"hs256","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"HS512","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"RS256","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":null,"typ":"JWT"}"#, "invalid_token"),
        (r#"{"typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"HS256"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"refresh+jwt"}"#, "invalid_token"),
        (r#"{"alg":"HS256","alg":"HS256","typ":"JWT"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","kid":"../../etc/passwd"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","kid":"' OR 1=1 --"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","jku":"https://evil.example"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","x5u":"https://evil.example"}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":"AA"}}"#, "invalid_token"),
        (r#"{"alg":"HS256","typ":"JWT","crit":["exp"]}"#, "invalid_token"),
        (r#"["HS256"]"#, "invalid_token"),
        (long.as_str(), "invalid_token"),
    ];
    for (header, expected) in rows {
        assert_eq!(verdict(&signed(header, &claims().to_string())), expected, "{header}");
    }
}

#[test]
fn any_flipped_character_breaks_the_token() {
    let token = tokens().issue("u", &device(), "t", NOW);
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(verdict(&String::from_utf8(bytes).unwrap()), "invalid_token", "at {at}");
    }
}

#[test]
fn the_form_is_exact() {
    let token = tokens().issue("u", &device(), "t", NOW);
    let (text, signature) = token.rsplit_once('.').unwrap();
    let long = format!("{token}{}", "A".repeat(1 << 20));
    let hs512 =
        Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(text).finalize().into_bytes();
    for wrong in [
        "",
        ".",
        "..",
        text,
        &format!("{text}."),
        &format!("{token}."),
        &format!("{token}.{signature}"),
        &format!("{token}="),
        &format!("{text}.{}", &signature[..20]),
        &format!("{text}.{}", URL_SAFE_NO_PAD.encode(hs512)),
        &long,
    ] {
        assert_eq!(verdict(wrong), "invalid_token");
    }
    assert_eq!(verdict(&Tokens::new(&secret(OTHER), 3600).issue("u", &device(), "t", NOW)), "invalid_token");
}

#[test]
fn a_token_over_4_kb_is_refused_though_signed() {
    let padded = |spaces: usize| signed(HEADER, &format!("{}{}", claims(), " ".repeat(spaces)));
    assert_eq!(verdict(&padded(2500)), "valid");
    assert_eq!(verdict(&padded(3000)), "invalid_token");
}

#[test]
fn the_previous_key_is_accepted_during_the_overlap_only() {
    let old = tokens().issue("u", &device(), "t", NOW);
    let rotated = Tokens::new(&secret(OTHER), 3600).with_previous(&secret(SECRET), NOW + 100);
    assert!(rotated.verify(&old, NOW + 99).is_ok());
    assert_eq!(rotated.verify(&old, NOW + 100).unwrap_err().code(), Code::InvalidToken);
    assert_eq!(verdict(&rotated.issue("u", &device(), "t", NOW)), "invalid_token");
}
