//! The words: findings, summaries, the notification, and metrics. They are pure, and decide only the wording.

pub mod audit;
pub mod findings;
pub mod flexnet;
pub mod license_check;
pub mod metrics;
pub mod notification;
pub mod summary;
