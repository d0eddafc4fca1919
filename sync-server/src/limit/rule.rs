//! What is limited, and by how much.

/// What is counted. The burst is how often it may be done at once; after it, once each interval.
///
/// Rules marked *misses* are given back after a success. Rules by account alone do not exist: whoever knows a name could lock
/// its owner out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Any request, by address, before its body is read. 600, then 300 each second: fifty busy replicas behind one address.
    Request,
    /// Signing in with a password, by account and address; misses. 10, then one in 5 minutes: a dozen guesses an hour, and
    /// whoever forgot their password is not away for long.
    Login,
    /// Signing in with a password, by address; misses. 100, then one in 30 seconds: an office after a holiday, but no list
    /// of stolen passwords.
    LoginAddress,
    /// Making an account, by address. 30, then one in a minute: a class of pupils.
    Register,
    /// Trading a refresh token, by address; misses. 60, then one each second: there is nothing to guess, it saves work.
    Refresh,
    /// Asking for a magic link, by address. 50, then 50 in an hour.
    Link,
    /// Mailing a magic link, by mail address. 5, then 5 in an hour: nobody's mailbox is filled by someone else.
    LinkMail,
    /// Mailing an invite, by mail address. 5, then 5 in an hour, apart from links: whoever invites somebody keeps them from
    /// no letter that signs in.
    InviteMail,
    /// Mailing invites, by who invites. 30, then 30 in an hour: a class of pupils, and no advertising.
    Inviter,
    /// Renaming devices, by user. 60, then one in 10 seconds: each is a change of what signs in, and revoking it has to come
    /// between them.
    Rename,
    /// Redeeming a magic link, by address; misses. 20, then one in a minute.
    LinkRedeem,
    /// Redeeming a pairing, by address; misses. 5, then one in a minute: a code that people type has few digits.
    Pairing,
    /// Asking whether a pairing was agreed to, by claim. 3, then one each second: a person has to look and press something.
    Poll,
    /// Taking an invitation, by address; misses. 20, then one in a minute.
    Invite,
}

impl Rule {
    /// Whether requests from this machine are not counted. They are the operator's, or come through a proxy that is not
    /// trusted, and then all people in the world would share one bucket. Where something can be guessed they count all the
    /// same.
    pub fn spares_loopback(self) -> bool {
        matches!(self, Self::Request | Self::Register | Self::Refresh)
    }

    /// How many tokens a bucket holds.
    pub(super) fn burst(self) -> i64 {
        self.numbers().0
    }

    /// How long until the next token, in microseconds.
    pub(super) fn interval_us(self) -> i64 {
        self.numbers().1
    }

    fn numbers(self) -> (i64, i64) {
        match self {
            Self::Request => (600, SECOND_US / 300),
            Self::Login => (10, 5 * MINUTE_US),
            Self::LoginAddress => (100, MINUTE_US / 2),
            Self::Register => (30, MINUTE_US),
            Self::Refresh => (60, SECOND_US),
            Self::Link => (50, HOUR_US / 50),
            Self::LinkMail | Self::InviteMail => (5, HOUR_US / 5),
            Self::Inviter => (30, HOUR_US / 30),
            Self::Rename => (60, 10 * SECOND_US),
            Self::LinkRedeem | Self::Invite => (20, MINUTE_US),
            Self::Pairing => (5, MINUTE_US),
            Self::Poll => (3, SECOND_US),
        }
    }
}

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const HOUR_US: i64 = 60 * MINUTE_US;
