//! The stable words for what is wrong; programs may rely on them, people get a sentence beside them.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $text:literal)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// Every code that this version knows.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

/// A code that came from elsewhere, as a word of this program; `None` when this version does not know it.
///
/// ```
/// use sync_core::protocol::code;
/// assert_eq!(code::known(&String::from("token_expired")), Some(code::TOKEN_EXPIRED));
/// assert_eq!(code::known("from_the_future"), None);
/// ```
pub fn known(text: &str) -> Option<&'static str> {
    ALL.iter().find(|code| **code == text).copied()
}

codes! {
    /// The body is not JSON: syntax, truncation, trailing bytes, duplicate members.
    MALFORMED_JSON "malformed_json"
    /// The body is not UTF-8.
    INVALID_ENCODING "invalid_encoding"
    /// The body is JSON but does not say what it must; see the pointer.
    VALIDATION_FAILED "validation_failed"
    /// A version outside `0..2^53`, or one that the record never had.
    VERSION_OUT_OF_RANGE "version_out_of_range"
    /// A text that is not a valid id, in a path.
    INVALID_ID "invalid_id"
    /// Not a cursor of this space.
    INVALID_CURSOR "invalid_cursor"
    /// The body, the batch or a record is larger than the limit.
    BODY_TOO_LARGE "body_too_large"
    /// The record exists: say which version you saw.
    PRECONDITION_REQUIRED "precondition_required"
    /// The record is gone: send the whole record to bring it back.
    CONTENT_NEEDED "content_needed"
    /// A rule of the application does not allow it; the detail says why in its words.
    REFUSED_BY_RULE "refused_by_rule"
    /// The record is not among those that its author may read.
    OUT_OF_SCOPE "out_of_scope"
    /// The author's clock is too far ahead of the server's, or that of an op too far ahead of its tree.
    CLOCK_DRIFT "clock_drift"
    /// The batch repeats a number with other content: this replica was copied.
    CLIENT_FORKED "client_forked"
    /// The batch skips numbers.
    MUTATION_GAP "mutation_gap"
    /// The name of the replica, or of the peer that numbers ops of trees, belongs to someone else.
    FORBIDDEN_CLIENT "forbidden_client"
    /// The caller had access to the space, and has it no longer: a replica gives up its copy.
    SPACE_REVOKED "space_revoked"
    /// The cursor cannot be continued; load a snapshot.
    RESYNC_REQUIRED "resync_required"
    /// The conflict is resolved already, or the record has moved on since.
    VERSION_CONFLICT "version_conflict"
    /// There is no such thing.
    NOT_FOUND "not_found"
    /// There is no such space, or it is not yours to see.
    SPACE_NOT_FOUND "space_not_found"
    /// The space has used up its numbers.
    VERSION_EXHAUSTED "version_exhausted"
    /// The Host header is missing or malformed.
    INVALID_HOST "invalid_host"
    /// A query parameter is not understood.
    INVALID_QUERY "invalid_query"
    /// A header that may appear once appears twice.
    DUPLICATE_HEADER "duplicate_header"
    /// The link is unknown, used or too old.
    LINK_INVALID "link_invalid"
    /// The pairing code is unknown, used or too old.
    PAIRING_INVALID "pairing_invalid"
    /// The invite is unknown, used, too old, or for someone else.
    INVITE_INVALID "invite_invalid"
    /// The server takes no new users this way.
    REGISTRATION_CLOSED "registration_closed"
    /// The space would be left without an owner.
    LAST_OWNER "last_owner"
    /// There are as many as there may be.
    QUOTA_EXCEEDED "quota_exceeded"
    /// This is being asked too often.
    SLOW_DOWN "slow_down"
    /// The server sends no mail.
    MAIL_UNAVAILABLE "mail_unavailable"
    /// Sign in first.
    MISSING_CREDENTIALS "missing_credentials"
    /// The token is not valid.
    INVALID_TOKEN "invalid_token"
    /// The token has expired.
    TOKEN_EXPIRED "token_expired"
    /// The token has been revoked.
    TOKEN_REVOKED "token_revoked"
    /// The user name or the password is wrong.
    INVALID_CREDENTIALS "invalid_credentials"
    /// The role does not allow this.
    FORBIDDEN_ROLE "forbidden_role"
    /// The origin is not allowed.
    ORIGIN_NOT_ALLOWED "origin_not_allowed"
    /// The method is not allowed here.
    METHOD_NOT_ALLOWED "method_not_allowed"
    /// The request took too long to arrive.
    REQUEST_TIMEOUT "request_timeout"
    /// The id is taken.
    ID_CONFLICT "id_conflict"
    /// The operation id is known with other content.
    OP_CONFLICT "op_conflict"
    /// The user name is taken.
    USERNAME_TAKEN "username_taken"
    /// A precondition does not hold.
    PRECONDITION_FAILED "precondition_failed"
    /// The address is too long.
    URI_TOO_LONG "uri_too_long"
    /// The body is not of a supported type.
    UNSUPPORTED_MEDIA_TYPE "unsupported_media_type"
    /// The idempotency key was used for another request.
    IDEMPOTENCY_MISMATCH "idempotency_mismatch"
    /// This address speaks WebSocket.
    UPGRADE_REQUIRED "upgrade_required"
    /// Too many requests.
    RATE_LIMITED "rate_limited"
    /// The headers are too large.
    HEADERS_TOO_LARGE "headers_too_large"
    /// Something went wrong on the server.
    INTERNAL "internal"
    /// The server is busy; try again.
    OVERLOADED "overloaded"
    /// The storage is not available; try again.
    STORAGE_UNAVAILABLE "storage_unavailable"
    /// The space is closed until its data is checked.
    SPACE_QUARANTINED "space_quarantined"
    /// The storage is full.
    STORAGE_FULL "storage_full"
}
