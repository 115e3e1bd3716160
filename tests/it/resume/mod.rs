//! Questions that outlive the connection they were asked on, and the instance too.

mod chaos;
mod failover;
mod load;
mod names;
mod one_instance;
mod outages;
mod rolling_restart;
mod stopping;
mod support;
mod two_instances;
