//! Questions that outlive the connection they were asked on, and the instance too.

mod chaos;
mod failover;
mod load;
mod one_instance;
mod outages;
mod rolling_restart;
mod support;
mod two_instances;
