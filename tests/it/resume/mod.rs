//! Questions that outlive the connection they were asked on.

mod one_instance;
