//! Tokens that nobody issued: any header and claims, any key, any damage.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Sha256, Sha512};

use super::template::Values;
use super::world::SECRET;

/// How a token is made; what is left out is as it should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forged {
    header: Option<String>,
    claims: Option<String>,
    key: Option<String>,
    mac: Option<String>,
    twist: Option<String>,
}

const HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;

const CLAIMS: &str = r#"{"iss":"sync-server","aud":"sync","sub":"{ada}","typ":"access","sid":"{ada_device}","jti":"t","iat":{now-1},"exp":{now+60}}"#;

impl Forged {
    /// The token.
    pub(crate) fn token(&self, values: &Values) -> String {
        let part = |text: &Option<String>, usual| {
            URL_SAFE_NO_PAD.encode(values.fill(text.as_deref().unwrap_or(usual)))
        };
        let (header, claims) = (part(&self.header, HEADER), part(&self.claims, CLAIMS));
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&format!("{header}.{claims}")));
        match self.twist.as_deref() {
            None => format!("{header}.{claims}.{signature}"),
            Some("flip header") => format!("{}.{claims}.{signature}", flipped(&header)),
            Some("flip claims") => format!("{header}.{}.{signature}", flipped(&claims)),
            Some("flip signature") => format!("{header}.{claims}.{}", flipped(&signature)),
            Some("cut signature") => format!("{header}.{claims}.{}", &signature[..signature.len() / 2]),
            Some("two parts") => format!("{header}.{claims}"),
            Some("four parts") => format!("{header}.{claims}.{signature}.{signature}"),
            Some("padding") => format!("{header}.{claims}.{signature}="),
            Some("foreign claims") => {
                let foreign = URL_SAFE_NO_PAD.encode(values.fill(&CLAIMS.replace("{ada}", "{bob}")));
                format!("{header}.{foreign}.{signature}")
            }
            Some(other) => panic!("no such twist: {other}"),
        }
    }

    fn mac(&self, text: &str) -> Vec<u8> {
        let key = match self.key.as_deref() {
            None => SECRET,
            Some("other") => "Zk9Qd2Wm7Lx4Rb1Yt6Pc3Nf8Hv5Sj0Ga",
            Some(key) => key,
        };
        let key = key.as_bytes();
        match self.mac.as_deref() {
            None => Hmac::<Sha256>::new_from_slice(key)
                .unwrap()
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
            Some("HS512") => Hmac::<Sha512>::new_from_slice(key)
                .unwrap()
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
            Some("none") => Vec::new(),
            Some(other) => panic!("no such mac: {other}"),
        }
    }
}

/// The text with one bit of the sixth character changed, still of the alphabet.
fn flipped(part: &str) -> String {
    let mut bytes = part.as_bytes().to_vec();
    bytes[5] = if bytes[5] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}
