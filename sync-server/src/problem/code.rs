//! The table of codes: what each is called on the wire, its status and its title.

use hyper::StatusCode;

macro_rules! codes {
    ($($variant:ident $name:literal $status:ident $title:literal)*) => {
        /// A stable name for one kind of refusal. Codes are API: they are added, never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $title, ".")] $variant,)*
        }

        impl Code {
            /// Every code there is, in the order of their statuses.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The code with this name on the wire.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),* }
            }

            /// One line for people, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" BAD_REQUEST "The body is not JSON"
    InvalidEncoding "invalid_encoding" BAD_REQUEST "The request is not encoded as it should be"
    InvalidHost "invalid_host" BAD_REQUEST "The Host header is missing or malformed"
    InvalidId "invalid_id" BAD_REQUEST "An id is malformed"
    InvalidCursor "invalid_cursor" BAD_REQUEST "The cursor is malformed or belongs elsewhere"
    InvalidQuery "invalid_query" BAD_REQUEST "A query parameter is not understood"
    DuplicateHeader "duplicate_header" BAD_REQUEST "A header that may appear once appears twice"
    LinkInvalid "link_invalid" BAD_REQUEST "The link is unknown, used or too old"
    PairingInvalid "pairing_invalid" BAD_REQUEST "The pairing code is unknown, used or too old"
    InviteInvalid "invite_invalid" BAD_REQUEST "The invite is unknown, used, too old or not for you"
    MissingCredentials "missing_credentials" UNAUTHORIZED "Sign in first"
    InvalidToken "invalid_token" UNAUTHORIZED "The token is not valid"
    TokenExpired "token_expired" UNAUTHORIZED "The token has expired"
    TokenRevoked "token_revoked" UNAUTHORIZED "The token has been revoked"
    InvalidCredentials "invalid_credentials" UNAUTHORIZED "The user name or the password is wrong"
    ForbiddenRole "forbidden_role" FORBIDDEN "The role does not allow this"
    ForbiddenClient "forbidden_client" FORBIDDEN "The client id belongs to someone else"
    RegistrationClosed "registration_closed" FORBIDDEN "This server takes no new users this way"
    OriginNotAllowed "origin_not_allowed" FORBIDDEN "The origin is not allowed"
    NotFound "not_found" NOT_FOUND "There is nothing here"
    SpaceNotFound "space_not_found" NOT_FOUND "There is no such space"
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "The request took too long to arrive"
    VersionConflict "version_conflict" CONFLICT "The record has changed since"
    IdConflict "id_conflict" CONFLICT "The id is taken"
    OpConflict "op_conflict" CONFLICT "The operation id is known with other content"
    MutationGap "mutation_gap" CONFLICT "Mutations are missing before this batch"
    ClientForked "client_forked" CONFLICT "The client id is in use by another copy of the replica"
    VersionExhausted "version_exhausted" CONFLICT "The numbers are used up"
    UsernameTaken "username_taken" CONFLICT "The user name is taken"
    LastOwner "last_owner" CONFLICT "The space would be left without an owner"
    ResyncRequired "resync_required" GONE "Load a snapshot and continue from there"
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "A precondition does not hold"
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large"
    UriTooLong "uri_too_long" URI_TOO_LONG "The address is too long"
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body is not of a supported type"
    ValidationFailed "validation_failed" UNPROCESSABLE_ENTITY "The request is well formed but not valid"
    ClockDrift "clock_drift" UNPROCESSABLE_ENTITY "The clock of the client is too far off"
    VersionOutOfRange "version_out_of_range" UNPROCESSABLE_ENTITY "A version is out of range"
    IdempotencyMismatch "idempotency_mismatch" UNPROCESSABLE_ENTITY "The idempotency key was used for another request"
    QuotaExceeded "quota_exceeded" UNPROCESSABLE_ENTITY "There are as many as there may be"
    UpgradeRequired "upgrade_required" UPGRADE_REQUIRED "This address speaks WebSocket"
    PreconditionRequired "precondition_required" PRECONDITION_REQUIRED "A precondition is required"
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests"
    SlowDown "slow_down" TOO_MANY_REQUESTS "This is being asked too often"
    HeadersTooLarge "headers_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE "The headers are too large"
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong on the server"
    MailUnavailable "mail_unavailable" SERVICE_UNAVAILABLE "This server sends no mail"
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The server is busy; try again"
    StorageUnavailable "storage_unavailable" SERVICE_UNAVAILABLE "The storage is not available; try again"
    SpaceQuarantined "space_quarantined" SERVICE_UNAVAILABLE "The space is closed until its data is checked"
    StorageFull "storage_full" INSUFFICIENT_STORAGE "The storage is full"
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_plain() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn a_rust_client_knows_every_code() {
        for code in Code::ALL {
            assert_eq!(sync_core::protocol::code::known(code.as_str()), Some(code.as_str()));
        }
    }
}
