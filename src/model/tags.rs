//! The tags on the license interface in which the function remembers things, and what EC2 allows in them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

/// The namespace of all tags that the function reads and writes.
pub const NAMESPACE: &str = "token-failover:";

/// The tag with the times of the automatic moves.
pub const MOVES: &str = "token-failover:moves";

/// The tag with the members that EC2 could not start.
pub const NOT_STARTED: &str = "token-failover:not-started";

/// The tag with the problem that was mailed last: a refusal, or any other outcome that is not a success.
pub const REFUSED: &str = "token-failover:refused";

/// The tag with the digest of the findings of the audit that was published last.
pub const AUDITED: &str = "token-failover:audited";

/// The tag with the hostid that was published to every subscriber: see [`crate::decide::remembered`].
pub const HOSTID: &str = "token-failover:hostid";

/// The tag with the pause: see [`crate::model::pause`].
pub const PAUSED: &str = "token-failover:paused";

/// The tag with what was mailed about the pause.
pub const PAUSED_TOLD: &str = "token-failover:paused-told";

/// The tag with the announcements that were published.
pub const ANNOUNCED: &str = "token-failover:announced";

/// The tag with the limits of instance types.
pub const LIMITS: &str = "token-failover:limits";

/// What the tags of the runs' moves begin with, before a colon and the run's name: see [`crate::decide::attachment`].
pub const ATTACHED: &str = "token-failover:attached";

/// The tag with the attachment that an audit saw last.
pub const SEEN: &str = "token-failover:seen";

/// The maximum number of characters in a tag's value. Source: EC2 User Guide, "Tag restrictions".
pub(crate) const LONGEST_VALUE: usize = 256;

/// A time as all tags have it, in whole seconds.
pub(crate) fn tag_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The words of a tag's value that have the form `name=value`, by name.
pub(crate) fn tag_words(value: &str) -> BTreeMap<&str, &str> {
    value.split(' ').filter_map(|word| word.split_once('=')).collect()
}

/// Makes a string fit for a tag's value.
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { '_' }).take(LONGEST_VALUE).collect()
}
