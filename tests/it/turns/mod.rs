//! Whole turns through a real server, PostgreSQL and Redis; only the model is played. `rig` starts the parts and makes
//! them fail, `client` asks and watches that what is promised of every frame holds.

mod acceptance;
mod audit_rows;
mod cancel;
mod cancel_everywhere;
mod clarify;
mod client;
mod database_faults;
mod django_client;
mod fault_matrix;
mod first_status;
mod follow_up;
mod leaks;
mod logs;
mod long_conversation;
mod memory;
mod metrics;
mod prompt_cache;
mod provider_faults;
mod repair;
mod rig;
mod spans;
mod store_faults;
mod streaming;
mod suggestions;
mod transcripts;
mod usage;
mod waiting;
