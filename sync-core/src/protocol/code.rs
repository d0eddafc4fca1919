//! The stable words for what is wrong; programs may rely on them, people get a sentence beside them.

/// The body is not JSON: syntax, truncation, trailing bytes, duplicate members.
pub const MALFORMED_JSON: &str = "malformed_json";
/// The body is not UTF-8.
pub const INVALID_ENCODING: &str = "invalid_encoding";
/// The body is JSON but does not say what it must; see the pointer.
pub const VALIDATION_FAILED: &str = "validation_failed";
/// A version outside `0..2^53`, or one that the record never had.
pub const VERSION_OUT_OF_RANGE: &str = "version_out_of_range";
/// A text that is not a valid id, in a path.
pub const INVALID_ID: &str = "invalid_id";
/// Not a cursor of this space.
pub const INVALID_CURSOR: &str = "invalid_cursor";
/// The body, the batch or a record is larger than the limit.
pub const BODY_TOO_LARGE: &str = "body_too_large";
/// The record exists: say which version you saw.
pub const PRECONDITION_REQUIRED: &str = "precondition_required";
/// The record is gone: send the whole record to bring it back.
pub const CONTENT_NEEDED: &str = "content_needed";
/// The author's clock is too far ahead of the server's.
pub const CLOCK_DRIFT: &str = "clock_drift";
/// The batch repeats a number with other content: this replica was copied.
pub const CLIENT_FORKED: &str = "client_forked";
/// The batch skips numbers.
pub const MUTATION_GAP: &str = "mutation_gap";
/// The name of the replica belongs to someone else.
pub const FORBIDDEN_CLIENT: &str = "forbidden_client";
/// The caller had access to the space, and has it no longer: a replica gives up its copy.
pub const SPACE_REVOKED: &str = "space_revoked";
/// The cursor cannot be continued; load a snapshot.
pub const RESYNC_REQUIRED: &str = "resync_required";
/// The conflict is resolved already, or the record has moved on since.
pub const VERSION_CONFLICT: &str = "version_conflict";
/// There is no such thing.
pub const NOT_FOUND: &str = "not_found";
/// There is no such space, or it is not yours to see.
pub const SPACE_NOT_FOUND: &str = "space_not_found";
/// The space has used up its numbers.
pub const VERSION_EXHAUSTED: &str = "version_exhausted";
