//! Who is asking: passwords, user names, mail addresses, tokens, cookies and the secret behind them.
//!
//! Nothing here knows a database. A caller looks up what is stored and passes it in.

pub mod address;
pub mod bearer;
pub mod chain;
pub mod cookie;
pub mod jws;
pub mod opaque;
pub mod password;
pub mod registration;
pub mod secret;
pub mod token;
pub mod username;
