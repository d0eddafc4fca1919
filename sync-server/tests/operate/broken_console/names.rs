//! Names of which nobody sees all.

use serde_json::json;

use crate::desk::{Desk, PASSWORD, refusal};
use crate::support::server::Layout;

#[test]
fn a_device_is_not_called_what_nobody_sees() {
    let mut desk = Desk::beside(Layout::OneFile);
    desk.add("ada");
    for name in
        ["pho\u{200b}ne", "pho\u{200d}ne", "\u{fe0f}phone", "pho\u{2060}ne", "pho\u{ad}ne", "\u{3164}"]
    {
        let body = json!({"username": "ada", "password": PASSWORD, "device_name": name});
        let refused = desk.post("/v1/auth/login", &body);
        assert_eq!(refusal(&refused), (422, "validation_failed".to_owned()), "{name:?}");
        let device = desk.device_of("ada");
        assert_eq!(desk.refused(&["device", "rename", "ada", &device, name]).0, 1, "{name:?}");
    }
    for name in ["Ada's \u{2764}\u{fe0f}", "\u{1f469}\u{200d}\u{1f4bb}", "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}"]
    {
        let body = json!({"username": "ada", "password": PASSWORD, "device_name": name});
        assert_eq!(desk.post("/v1/auth/login", &body).status, 200, "{name:?}");
    }
}
