//! The words: findings, summaries, the notification, and what CloudWatch counts. They are pure, and decide nothing but words.

pub mod audit;
pub mod findings;
pub mod metrics;
pub mod notification;
pub mod summary;
